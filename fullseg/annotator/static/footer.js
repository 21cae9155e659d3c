// The line below the image: a message, and figures about the image.

const $ = (id) => document.getElementById(id);
const SHOWN = 8000; // ms: how long a message stays if nothing else happens
const LEAST = 3000; // ms: how long an error stays at least

export class Footer {
  // `page` has session, view and loaded.
  constructor(page) {
    this.page = page;
    this.since = 0;
    this.timer = null;
  }

  // Say something. `more` is shown while the pointer is on the text.
  say(text, isError = false, more = text) {
    clearTimeout(this.timer);
    this.since = performance.now();
    $("message").setAttribute("role", isError ? "alert" : "status");
    $("message").textContent = text;
    $("message").title = more;
    $("message").className = isError ? "error" : "";
    if (text && !isError) this.timer = setTimeout(() => this.say(""), SHOWN);
  }

  // An action is under way: what was said about the one before is not news any more.
  begin() {
    if (!$("message").classList.contains("error")) this.say("");
  }

  // An action was done: the reason why one before was not done is not news any more.
  succeed() {
    if (!$("message").classList.contains("error")) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(""), Math.max(0, this.since + LEAST - performance.now()));
  }

  // Show what is under way or how long it took, the pixels without a region, and the zoom.
  figures() {
    const { empty, labels, state, took } = this.page.session;
    const filled = labels && state?.filled ? labels.unassigned - empty : 0;
    const parts = [
      this.underWay() ?? (took ? `${Math.round(took)} ms` : ""),
      labels ? `${empty.toLocaleString()} px without a region` : "",
      filled ? `${filled.toLocaleString()} px filled` : "",
      state ? `${state.full_width} x ${state.full_height} px, zoom ${Math.round(100 * this.page.view.scale)} %` : "",
    ];
    $("figures").textContent = parts.filter(Boolean).join("   ·   ");
  }

  underWay() {
    const { busy, sent } = this.page.session;
    if (sent.length) return `${nameOf(sent[0])}${sent.length > 1 ? ` and ${sent.length - 1} more` : ""} ...`;
    return busy ? `the model is ${this.page.loaded ? "at work" : "loading"} ...` : null;
  }
}

const NAMES = {
  add: () => "marking a region",
  move: ({ region }) => `marking region ${region} anew`,
  scribbles: ({ strokes }) => (strokes.length === 1 ? "sending a stroke" : `sending ${strokes.length} strokes`),
  brush: ({ erase }) => (erase ? "erasing" : "painting"),
  polygon: () => "filling a polygon",
  hole: () => "filling a hole",
  clean: () => "cleaning islands and holes",
  delete: ({ region }) => `deleting region ${region}`,
  merge: ({ region, other }) => `merging regions ${region} and ${other}`,
  describe: ({ region }) => `naming region ${region}`,
  lock: ({ region }) => `locking region ${region}`,
  unlock: ({ region }) => `unlocking region ${region}`,
  fill: ({ filled }) => (filled ? "filling the rest" : "emptying the rest"),
  undo: () => "undoing",
  redo: () => "redoing",
};

const nameOf = (action) => NAMES[action.kind]?.(action) ?? "saving";
