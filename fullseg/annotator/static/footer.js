// The line below the image: a message, and figures about the image.

const $ = (id) => document.getElementById(id);

export class Footer {
  // `page` has session and view.
  constructor(page) {
    this.page = page;
  }

  say(text, isError = false) {
    $("message").textContent = text;
    $("message").className = isError ? "error" : "";
  }

  // Show the time of the last update, the pixels without a region, and the zoom.
  figures() {
    const { busy, labels, state, took } = this.page.session;
    const parts = [
      busy ? "the model is at work ..." : took ? `${Math.round(took)} ms` : "",
      labels ? `${labels.unassigned.toLocaleString()} px without a region${state?.filled ? ", filled" : ""}` : "",
      state ? `${state.full_width} x ${state.full_height} px, zoom ${Math.round(100 * this.page.view.scale)} %` : "",
    ];
    $("figures").textContent = parts.filter(Boolean).join("   ·   ");
  }
}
