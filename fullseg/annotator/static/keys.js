// All keys. Each has its text for the help, and the function that it calls.

export function makeKeys(page) {
  const { view, tools } = page;
  const shift = (x, y) => () => view.pan(x, y);
  return [
    ["m", "mark regions by four extreme clicks", () => tools.use("mark")],
    ["c", "correct: draw into what a region lacks", () => tools.use("correct")],
    ["v", "choose a region by a click; drag to move the image", () => tools.use("choose")],
    ["Enter", "update with the collected strokes", () => tools.update()],
    ["k", "collect several strokes before an update", () => page.toggle("collect")],
    ["s", "snap clicks to the strongest edge nearby", () => page.toggle("snap")],
    ["Backspace", "take back the last click or collected stroke", () => tools.back()],
    ["Escape", "delete the clicks and collected strokes that are not sent yet", () => tools.escape()],
    ["Ctrl+z", "undo", () => page.undo()],
    ["Ctrl+Shift+z", "redo", () => page.redo()],
    ["Ctrl+y", "redo", () => page.redo()],
    ["n", "go to the region that the model is least sure of", () => page.regions.leastSure()],
    ["u", "show or hide the heat map of uncertainty", () => page.toggle("heat")],
    ["o", "show outlines or filled regions", () => page.toggle("outline")],
    ["[", "less opacity", () => page.opacity(-10)],
    ["]", "more opacity", () => page.opacity(10)],
    ["l", "lock or unlock the chosen region", () => page.regions.lock()],
    ["Delete", "delete the chosen region", () => page.regions.remove()],
    ["g", "merge: then choose the region that becomes part of the chosen one (or Shift and click it)", () => page.regions.merge()],
    [".", "choose the next region in the list", () => page.regions.chooseNext(1)],
    [",", "choose the previous region in the list", () => page.regions.chooseNext(-1)],
    ["r", "mark the chosen region's extreme points anew", () => page.regions.remark()],
    ["F2", "rename the chosen region", () => page.regions.rename()],
    ["/", "search a class for the chosen region, or for the next new region", () => page.regions.classify()],
    ["Alt+ArrowUp", "move the chosen region up in the list", () => page.regions.reorder(-1)],
    ["Alt+ArrowDown", "move the chosen region down in the list", () => page.regions.reorder(1)],
    ["f", "give pixels without a region to the nearest one, or leave them without", () => page.finishing.fill()],
    ["d", "mark the image as done and export it; or as not done", () => page.finishing.finish()],
    ["e", "export", () => page.finishing.export()],
    ["i", "import COCO panoptic", () => page.files.choose()],
    ["p", "find an image by its name", () => page.images.find()],
    ["PageDown", "next image", () => page.images.step(1)],
    ["PageUp", "previous image", () => page.images.step(-1)],
    ["+", "zoom in", () => view.zoom(1.25)],
    ["-", "zoom out", () => view.zoom(0.8)],
    ["0", "show the whole image", () => view.fit()],
    ["ArrowLeft", "pan", shift(40, 0)],
    ["ArrowRight", "pan", shift(-40, 0)],
    ["ArrowUp", "pan", shift(0, 40)],
    ["ArrowDown", "pan", shift(0, -40)],
    ["Space", "hold to drag the image with any tool", () => (tools.space = true)],
    ["?", "show this list", () => page.keyboard.help()],
  ];
}

// Return the name of a pressed key, as the list above writes it.
export function nameOf(event) {
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const plain = event.key.length === 1 && !/[a-z]/i.test(event.key); // Shift is part of the character already
  const modifiers = [
    (event.ctrlKey || event.metaKey) && "Ctrl",
    event.altKey && "Alt",
    event.shiftKey && !plain && (event.ctrlKey || event.metaKey) && "Shift",
  ];
  return [...modifiers.filter(Boolean), key].join("+");
}
