// Exports, and imports of partitions that were made elsewhere.

import * as api from "./api.js";

const $ = (id) => document.getElementById(id);

export class Files {
  // `page` has session, footer and say(text, isError).
  constructor(page) {
    this.page = page;
    $("files").addEventListener("change", () => this.import());
  }

  async export() {
    const { image, state } = this.page.session; // read before the request: another image may be opened meanwhile
    try {
      const { segments, unassigned, files, unreadable } = await api.exportImage(image, state.revision);
      const count = `${segments} segment${segments === 1 ? "" : "s"}`;
      const lost = unreadable.length ? `. Left out, because it cannot be read: ${unreadable.join(", ")}` : "";
      const text = `Exported ${count}, ${unassigned.toLocaleString()} px VOID, to ${shortened(files[0])}${lost}`;
      this.page.footer.say(text, false, `${files.join("\n")}${lost}`);
    } catch (error) {
      this.page.say(error.message, true);
    }
  }

  choose() {
    $("files").value = "";
    $("files").click();
  }

  async import() {
    const { session } = this.page;
    const files = [...$("files").files];
    const png = files.find(({ name }) => name.endsWith(".png"));
    const json = files.find(({ name }) => name.endsWith(".json"));
    if (!png || !json) return this.page.say("Choose two files: the panoptic png of this image, and its json", true);
    try {
      const bytes = new Uint8Array(await png.arrayBuffer());
      const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
      const described = JSON.parse(await json.text());
      await session.settled();
      const { image, state } = session;
      const { left_out } = await api.replace(image, { revision: state.revision, png: base64, json: described });
      if (image === session.image) await session.reload("");
      this.page.say(left_out.length ? `Imported. Left out: ${left_out.join(", ")}` : "Imported. All regions are locked: unlock a region to correct it");
    } catch (error) {
      this.page.say(error.message, true);
    }
  }
}

// Return the end of a path: what is before it would fill the line.
const shortened = (path) => path.split(/[\\/]/).slice(-3).join("/");
