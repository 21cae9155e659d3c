// Exports, and imports of partitions that were made elsewhere.

import * as api from "./api.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Files {
  // `page` has session, footer and say(text, isError).
  constructor(page) {
    this.page = page;
    $("files").addEventListener("change", () => this.import());
  }

  // Return what was said, or undefined after an error, which `failed` keeps.
  async export() {
    const { image, state } = this.page.session; // read before the request: another image may be opened meanwhile
    try {
      const { segments, unassigned, files, unreadable } = await api.exportImage(image, state.revision);
      const lost = unreadable.length ? t.said.unreadable(unreadable.join(", ")) : "";
      const text = `${t.said.exported(segments, unassigned, shortened(files[0]))}${lost}`;
      const paths = `${files.join("\n")}${lost}`;
      this.page.footer.say(text, false, paths);
      return { text, paths };
    } catch (error) {
      this.failed = error.message;
      this.page.say(error.message, true);
    }
  }

  // Download all exports as one zip file. Ask first whether there are any: a browser would show the answer instead.
  async download() {
    try {
      await api.hasExports();
      Object.assign(document.createElement("a"), { href: api.EXPORTS, download: "" }).click();
      this.page.say(t.said.downloads);
    } catch (error) {
      this.page.say(error.status === 507 ? t.said.noExports : error.message, true);
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
    if (!png || !json) return this.page.say(t.said.twoFiles, true);
    try {
      const bytes = new Uint8Array(await png.arrayBuffer());
      const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
      const described = JSON.parse(await json.text());
      await session.settled();
      const { image, state } = session;
      const { left_out } = await api.replace(image, { revision: state.revision, png: base64, json: described });
      if (image === session.image) await session.reload("");
      this.page.say(left_out.length ? t.said.leftOut(left_out.join(", ")) : t.said.imported);
    } catch (error) {
      this.page.say(error.message, true);
    }
  }
}

// Return the end of a path: what is before it would fill the line.
const shortened = (path) => path.split(/[\\/]/).slice(-3).join("/");
