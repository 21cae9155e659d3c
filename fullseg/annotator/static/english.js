// All texts of the page in English. A translation has the same entries in files of the same kinds.

import { hints, keys } from "./english_keys.js";
import page from "./english_page.js";

const many = (count, what) => `${number(count)} ${what}${count === 1 ? "" : "s"}`;
const number = (count) => count.toLocaleString("en");

const said = {
  lost: "The server does not answer. Start it again: everything that was shown as done is on disk.",
  back: (isPending) => `The server answers again${isPending ? ": Enter sends what is not sent yet" : ""}`,
  repeat: (why) => `${why}. The page shows the newest state: please repeat your action`,
  otherTab: "Another tab has changed this image. The page shows the newest state",
  wrongToken: "The server does not take this token. It printed the right one when it was started.",
  opening: "Opening ...",
  noRegion: "There is no region here: mark one first, or choose one in the list",
  noRegionToMerge: "There is no region here to merge",
  locked: "This region is locked: L unlocks it",
  chooseFirst: "Choose a region first: click it in the list, or with V in the image",
  added: (region) => `Region ${region} added`,
  allLocked: "There is no region that is not locked",
  double: "A double click counts once: click four points one by one",
  tooSmall: (width, height) => `These points span ${width} x ${height} px: click the leftmost, topmost, rightmost and lowest point`,
  threeCorners: "A polygon needs three corners: click another one, or Escape drops them",
  noGuess: "There is no guessed class to confirm",
  notCounted: "Islands and holes are not counted yet",
  noneLoose: (below) => `There are no islands and holes below ${below} px`,
  cleaned: (count) => `${number(count)} cleaned. Undo brings ${count === 1 ? "it" : "them"} back`,
  noneCanGrow: "All regions are locked, so none can grow: unlock one first",
  filled: (count) => `${count === null ? "?" : number(count)} px without a region go to the likeliest region, or to the nearest`,
  notSent: "Clicks or strokes are not sent yet: Enter sends strokes, Escape drops all",
  noLabels: "Without labels the image cannot be checked",
  saved: "Everything is saved",
  savedActions: (count) => `Everything is saved: ${many(count, "action")} on this image`,
  savedBut: "Saved, but for the clicks and strokes that are not sent yet",
  exported: (segments, empty, path) => `Exported ${many(segments, "segment")}, ${number(empty)} px VOID, to ${path}`,
  downloads: "All exports are being downloaded",
  noExports: "Nothing was exported yet: mark an image as done, or export it",
  unreadable: (names) => `. Left out, because it cannot be read: ${names}`,
  twoFiles: "Choose two files: the panoptic png of this image, and its json",
  imported: "Imported. All regions are locked: unlock a region to correct it",
  leftOut: (what) => `Imported. Left out: ${what}`,
};

const where = {
  place: (number, all) => `${number} of ${all}`,
  saved: "saved",
  saving: "saving ...",
};

const status = {
  skipped: "skipped",
  marks: { flag: "flagged", comment: "commented" },
  isDone: (name) => `${name} is done`,
  isSkipped: (name) => `${name} is skipped`,
  isFlagged: (name, isFlagged) => (isFlagged ? `${name} is flagged` : `${name} is not flagged any more`),
  goneOn: (what, next, key) => `${what}, and this is ${next} now: ${key} goes back`,
  noneLeft: "There is no other image that has to be done",
  noneDone: "No image is done yet",
  allSeen: "All images that are done were looked at",
  review: (place, all, comment, [next, previous, finish, flag, end]) =>
    `Review, ${place} of ${all}${comment ? ` ("${comment}")` : ""}: ${next} next, ${previous} previous, ${finish} not done, ${flag} flags, ${end} ends`,
};

const lists = {
  progress: (done, all) => `${done} of ${all} done`,
  image: (regions, done) => (done ? `done, ${many(regions, "region")}` : regions ? many(regions, "region") : "untouched"),
  took: (seconds) => (seconds < 60 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} min`),
  tookWhy: "The time that the image has taken",
  region: "region",
  sure: "The IoU that the model expects of this region",
  eye: (isShown, region) => `${isShown ? "Hide" : "Show"} region ${region}, which keeps its pixels`,
  lock: (isLocked, region) => (isLocked ? `Unlock region ${region}` : `Lock region ${region}: its pixels stay as they are`),
  confirm: (name) => `Confirm the class ${name}`,
  guessed: "The model guesses this class: confirm it, or give another one",
  clean: (count) => (count === 0 ? "No islands and holes" : `Clean ${count === null ? "islands and holes" : loose(count)}`),
};
const loose = (count) => (count === 1 ? "1 island or hole" : `${number(count)} islands and holes`);

const classes = {
  search: "search",
  ofNew: "class of new regions",
  guess: (name, key) => `${name}? ${key} confirms it`,
  create: (name) => `New class "${name}" ...`,
  kinds: ["stuff", "thing"],
  none: "No class was typed in yet. The classes that the annotator was started with stay as they are.",
  nameOf: (name) => `Name of ${name}`,
  mergeInto: "merge into ...",
  mergeOf: (name) => `Merge ${name} into`,
  remove: "Remove",
  removeOf: (name) => `Remove ${name}`,
  removed: (name) => `${name} is removed`,
  renamed: (before, name) => `${before} is ${name} now`,
  merged: (name, other) => `${name} is part of ${other} now`,
  sure: (name, other) => `All regions of ${name}, in all images, become ${other}. This cannot be undone.`,
};

const checks = {
  show: "Show",
  empty: (count) => `${number(count)} px have no region (VOID)`,
  guessed: (count, ids) => `${many(count, "region")}: the class is guessed, not confirmed (${ids})`,
  classless: (count, ids) => `${many(count, "region")}: there is no class (${ids})`,
  tiny: (region, area) => `Region ${region} has ${many(area, "pixel")}`,
  islands: (region, count, area) => `Region ${region} has ${many(count, "island")} of ${number(area)} px together`,
};

const keyHelp = {
  all: "Click a key to change it. This browser remembers your keys.",
  reset: "All keys are as they were at first.",
  press: (what) => `Press the new key for: ${what}. Escape leaves it as it is.`,
};

const footer = {
  took: (ms) => `${ms} ms`,
  empty: (count) => `${number(count)} px without a region`,
  filled: (count) => `${number(count)} px filled`,
  unconfirmed: (count) => `${number(count)} ${count === 1 ? "class" : "classes"} to confirm`,
  loose,
  size: (width, height, zoom) => `${width} x ${height} px, zoom ${zoom} %`,
  underWay: (what, others) => `${what}${others ? ` and ${others} more` : ""} ...`,
  model: (isLoaded) => `the model is ${isLoaded ? "at work" : "loading"} ...`,
  saving: "saving",
  add: () => "marking a region",
  box: () => "marking a region",
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

const percent = (part) => `${(100 * part).toFixed(1)} %`;
const minutes = (seconds) => `${(seconds / 60).toFixed(1)} minutes`;
const each = ({ strokes, seconds }) => `${strokes.toFixed(1)} strokes and ${minutes(seconds)}`;

// The steps of the card for the first visit. `key(name)` returns a key as it is printed.
const welcome = [
  (key) => `Mark (${key("m")}): click the leftmost, topmost, rightmost and lowest point of a region. Mark all regions, also the background.`,
  (key) => `Correct (${key("c")}): draw into what a region lacks. All regions follow at once. Brush (${key("b")}) and eraser (${key("e")}) are exact.`,
  (key) => `Done (${key("Ctrl+Enter")}) exports the image and opens the next one. Everything is saved at once; ${key("?")} lists all keys.`,
];

const models = {
  inUse: (name) => `In use: ${name}.`,
  learnt: (images) => `learnt, ${many(images, "image")}`,
  learntNow: "In use is a model that has learnt from your images: see Learn.",
  keeps: "All work stays when you change the model, and so do the classes. Images that are not done are segmented anew.",
  loading: (name) => `${name} is being loaded ...`,
  current: "In use",
  use: "Use",
  strokes: ({ by_strokes, eta }) => {
    if (eta !== null) return `It follows strokes: one mends ${percent(eta)} of the error that it is drawn for.`;
    if (by_strokes === null) return "Whether it follows strokes is not known.";
    return by_strokes ? "It was trained to follow strokes." : "It was trained with extreme points alone, so it hardly follows strokes.";
  },
  scores: ({ iou, measured_on, scribbles }) =>
    iou.length ? `IoU ${measured_on}: ${percent(iou[0])} without strokes, ${percent(iou.at(-1))} at ${scribbles.at(-1).toFixed(1)} per region` : "",
};

const learning = {
  tooFew: (count, needed) => `${many(count, "image")} ${count === 1 ? "is" : "are"} done. A model can learn from ${needed} or more.`,
  about: (count, part) =>
    `${count} images are done. The model goes on learning from them, as they are. About one in ${part} is held back: the new model is ` +
    "offered only if it needs fewer of your strokes there. This takes some minutes. You can go on meanwhile. Labels of images that " +
    "are not done change when you use the new model. You can go back to the model before.",
  goesOn: (said) => `Learning: ${said}`,
  inUse: (name) => `In use: ${name}`,
  inUseLearnt: (images) => `In use: the model that learnt from ${images} images`,
  result: ({ held_back, iou, strokes }) =>
    `On ${many(held_back, "image")} held back: IoU without strokes ${percent(iou[0])} before, ${percent(iou[1])} after; strokes per ` +
    `image for equal quality ${strokes[0].toFixed(1)} before, ${strokes[1].toFixed(1)} after.`,
  remembered: (scores) =>
    scores
      ? `On the data that it was made from: ${percent(scores[0])} before, ${percent(scores[1])} after.`
      : "The data that it was made from is not at hand, so it may have forgotten images of other kinds.",
  notBetter: "It is not better in both, so it is not offered.",
  ready: "A better model is ready: see Learn",
  ended: "Learning has ended: see Learn",
  row: ({ image, strokes, seconds }) => `${image}: ${many(strokes, "stroke")}, ${minutes(seconds)}`,
  mean: (effort) => `An image has taken ${each(effort)}.`,
  trend: (count, first, last) => `The first ${count} images took ${each(first)} each, the last ${count} ${each(last)}.`,
  nothingYet: "No image was begun and finished with the model that has learnt yet, so what it saves is not known.",
  saving: (before, after) => {
    const saved = (before.strokes - after.strokes) * after.regions;
    const sums = `${many(before.images, "image")} before took ${before.strokes.toFixed(2)} strokes per region, ` +
      `${many(after.images, "image")} with the model that has learnt ${after.strokes.toFixed(2)}`;
    return saved > 0 ? `${sums}. This saves ${saved.toFixed(1)} strokes per image.` : `${sums}: it saves nothing so far.`;
  },
  done: ({ strokes, seconds }) => `Done: ${many(strokes, "stroke")}, ${minutes(seconds)}.`,
};

export default { locale: "en", page, keys, hints, said, status, where, lists, classes, checks, keyHelp, footer, welcome, models, learning };
