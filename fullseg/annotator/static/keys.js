// All keys: each with its text in the help and what it does.

export function makeKeys(page) {
  const { view, tools } = page;
  const shift = (x, y) => () => view.pan(x, y);
  return [
    ["m", "mark regions by four extreme clicks", () => tools.use("mark")],
    ["c", "correct: draw into what a region lacks", () => tools.use("correct")],
    ["v", "choose regions, drag to pan", () => tools.use("choose")],
    ["Enter", "update with the collected strokes", () => tools.update()],
    ["k", "collect several strokes before an update", () => page.toggle("collect")],
    ["s", "snap clicks to the strongest edge nearby", () => page.toggle("snap")],
    ["Backspace", "take back the last click or collected stroke", () => tools.back()],
    ["Escape", "drop clicks and collected strokes", () => tools.escape()],
    ["Ctrl+z", "undo", () => page.undo()],
    ["Ctrl+Shift+z", "redo", () => page.redo()],
    ["Ctrl+y", "redo", () => page.redo()],
    ["n", "go to the region the model is least sure of", () => page.next()],
    ["u", "heat map of uncertainty", () => page.toggle("heat")],
    ["o", "outlines or filled regions", () => page.toggle("outline")],
    ["[", "less opacity", () => page.opacity(-10)],
    ["]", "more opacity", () => page.opacity(10)],
    ["l", "lock or unlock the chosen region", () => page.lock()],
    ["Delete", "delete the chosen region", () => page.remove()],
    ["g", "merge: then choose the region to be merged into the chosen one (or Shift and click it)", () => page.merge()],
    [".", "choose the next region in the list", () => page.chooseNext(1)],
    [",", "choose the previous region in the list", () => page.chooseNext(-1)],
    ["r", "mark the chosen region's extreme points anew", () => page.remark()],
    ["F2", "rename the chosen region", () => page.rename()],
    ["/", "search a class for the chosen region, or for the next one", () => page.classify()],
    ["Alt+ArrowUp", "list the chosen region earlier", () => page.reorder(-1)],
    ["Alt+ArrowDown", "list the chosen region later", () => page.reorder(1)],
    ["f", "give the rest to the nearest region, or not", () => page.fill()],
    ["d", "done, and export; or not done", () => page.finish()],
    ["e", "export", () => page.exportNow()],
    ["i", "import COCO panoptic", () => page.files.choose()],
    ["p", "find an image by its name", () => page.find()],
    ["PageDown", "next image", () => page.step(1)],
    ["PageUp", "previous image", () => page.step(-1)],
    ["+", "zoom in", () => view.zoom(1.25)],
    ["-", "zoom out", () => view.zoom(0.8)],
    ["0", "the whole image", () => view.fit()],
    ["ArrowLeft", "pan", shift(40, 0)],
    ["ArrowRight", "pan", shift(-40, 0)],
    ["ArrowUp", "pan", shift(0, 40)],
    ["ArrowDown", "pan", shift(0, -40)],
    ["Space", "hold to drag the image with any tool", () => (tools.space = true)],
    ["?", "this list", () => page.help()],
  ];
}

// The name of a pressed key, as the list above writes it.
export function nameOf(event) {
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const plain = event.key.length === 1 && !/[a-z]/i.test(event.key); // shift has made it another character
  const modifiers = [
    (event.ctrlKey || event.metaKey) && "Ctrl",
    event.altKey && "Alt",
    event.shiftKey && !plain && (event.ctrlKey || event.metaKey) && "Shift",
  ];
  return [...modifiers.filter(Boolean), key].join("+");
}
