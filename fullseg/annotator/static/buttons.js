// The buttons of the tools, above the image and below it: what they do, and which of them are pressed.

import { PAINTING } from "./painting.js";
import { rove, stopAt } from "./roving.js";

const TOOLS = ["mark", "correct", "choose", ...PAINTING];
const $ = (id) => document.getElementById(id);

export class Buttons {
  // `page` has all parts of the page.
  constructor(page) {
    this.page = page;
    const { files, finishing, keyboard, regions, tools, view } = page;
    const clicks = {
      undo: () => page.undo(),
      redo: () => page.redo(),
      next: () => regions.leastSure(),
      fill: () => finishing.fill(),
      done: () => finishing.finish(),
      export: () => finishing.export(),
      import: () => files.choose(),
      download: () => files.download(),
      "zoom-out": () => view.zoom(0.8),
      "zoom-in": () => view.zoom(1.25),
      "zoom-fit": () => view.fit(),
      "zoom-full": () => view.full(),
      help: () => keyboard.help.open(),
    };
    for (const [id, what] of Object.entries(clicks)) $(id).addEventListener("click", what);
    for (const tool of TOOLS) $(tool).addEventListener("click", () => tools.use(tool));
    rove($("tools"), () => TOOLS.map($), ({ id }) => tools.use(id));
    for (const name of Object.keys(page.on)) $(name).addEventListener("click", () => page.toggle(name));
    $("opacity").addEventListener("input", () => page.opacity(0));
  }

  show() {
    const { on, session, tools, visibility } = this.page;
    const { state } = session;
    for (const tool of TOOLS) $(tool).setAttribute("aria-checked", String(tools.tool === tool));
    stopAt(TOOLS.map($), ({ id }) => id === tools.tool);
    const pressed = { ...on, fill: state?.filled, done: state?.done, solo: visibility.alone !== null };
    for (const [name, isOn] of Object.entries(pressed)) $(name).setAttribute("aria-pressed", String(Boolean(isOn)));
    $("undo").disabled = !state?.can_undo;
    $("redo").disabled = !state?.can_redo;
  }
}
