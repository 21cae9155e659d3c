// All texts of the page in German: see english.js.

import { hints, keys } from "./german_keys.js";
import page from "./german_page.js";

const many = (count, one, more) => `${number(count)} ${count === 1 ? one : more}`;
const regions = (count) => many(count, "Region", "Regionen");
const number = (count) => count.toLocaleString("de");

const said = {
  lost: "Der Server antwortet nicht. Starten Sie ihn neu: alles, was als erledigt gezeigt wurde, ist gespeichert.",
  back: (isPending) => `Der Server antwortet wieder${isPending ? ": Enter sendet, was noch nicht gesendet ist" : ""}`,
  repeat: (why) => `${why}. Die Seite zeigt den neuesten Stand: bitte noch einmal`,
  otherTab: "Dieses Bild wurde in einem anderen Tab geändert. Die Seite zeigt den neuesten Stand",
  wrongToken: "Der Server nimmt dieses Token nicht an. Das richtige hat er beim Start ausgegeben.",
  opening: "Wird geöffnet ...",
  noRegion: "Hier ist keine Region: markieren Sie eine, oder wählen Sie eine in der Liste",
  noRegionToMerge: "Hier ist keine Region, die man vereinen kann",
  locked: "Diese Region ist gesperrt: L entsperrt sie",
  chooseFirst: "Wählen Sie zuerst eine Region: in der Liste, oder mit V im Bild",
  added: (region) => `Region ${region} hinzugefügt`,
  allLocked: "Alle Regionen sind gesperrt",
  double: "Ein Doppelklick zählt einfach: klicken Sie vier einzelne Punkte",
  tooSmall: (width, height) => `Diese Punkte umspannen ${width} x ${height} px: klicken Sie links, oben, rechts und unten`,
  threeCorners: "Ein Polygon braucht drei Ecken: noch eine anklicken, oder Escape verwirft sie",
  noGuess: "Es gibt keine vermutete Klasse zu bestätigen",
  notCounted: "Inseln und Löcher sind noch nicht gezählt",
  noneLoose: (below) => `Es gibt keine Inseln und Löcher unter ${below} px`,
  cleaned: (count) => `${number(count)} beseitigt. Rückgängig bringt ${count === 1 ? "sie" : "alle"} wieder`,
  noneCanGrow: "Alle Regionen sind gesperrt, keine kann wachsen: entsperren Sie eine",
  filled: (count) => `${count === null ? "?" : number(count)} px ohne Region gehen an die wahrscheinlichste Region oder an die nächste`,
  notSent: "Klicks oder Striche sind noch nicht gesendet: Enter sendet Striche, Escape verwirft alles",
  noLabels: "Ohne Label kann das Bild nicht geprüft werden",
  saved: "Alles ist gespeichert",
  savedActions: (count) => `Alles ist gespeichert: ${many(count, "Aktion", "Aktionen")} an diesem Bild`,
  savedBut: "Gespeichert, außer den Klicks und Strichen, die noch nicht gesendet sind",
  exported: (segments, empty, path) => `${many(segments, "Segment", "Segmente")}, ${number(empty)} px VOID, exportiert nach ${path}`,
  downloads: "Alle Exporte werden heruntergeladen",
  noExports: "Noch ist nichts exportiert: machen Sie ein Bild fertig, oder exportieren Sie es",
  unreadable: (names) => `. Ausgelassen, weil nicht lesbar: ${names}`,
  twoFiles: "Wählen Sie zwei Dateien: das panoptic-PNG dieses Bildes und sein JSON",
  imported: "Importiert. Alle Regionen sind gesperrt: entsperren Sie eine, um sie zu korrigieren",
  leftOut: (what) => `Importiert. Ausgelassen: ${what}`,
};

const where = {
  place: (number, all) => `${number} von ${all}`,
  saved: "gespeichert",
  saving: "wird gespeichert ...",
};

const status = {
  skipped: "ausgelassen",
  marks: { flag: "gemerkt", comment: "mit Notiz" },
  isDone: (name) => `${name} ist fertig`,
  isSkipped: (name) => `${name} ist ausgelassen`,
  isFlagged: (name, isFlagged) => (isFlagged ? `${name} ist gemerkt` : `${name} ist nicht mehr gemerkt`),
  goneOn: (what, next, key) => `${what}, und dies ist ${next}: ${key} geht zurück`,
  noneLeft: "Es gibt kein anderes unfertiges Bild",
  noneDone: "Noch ist kein Bild fertig",
  allSeen: "Alle fertigen Bilder wurden angesehen",
  review: (place, all, comment, [next, previous, finish, flag, end]) =>
    `Durchsicht, ${place} von ${all}${comment ? ` („${comment}“)` : ""}: ${next} nächstes, ${previous} voriges, ${finish} nicht fertig, ${flag} merkt es, ${end} endet`,
};

const lists = {
  progress: (done, all) => `${done} von ${all} fertig`,
  image: (count, done) => (done ? `fertig, ${regions(count)}` : count ? regions(count) : "unberührt"),
  took: (seconds) => (seconds < 60 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1).replace(".", ",")} min`),
  tookWhy: "Die Zeit, die das Bild gebraucht hat",
  region: "Region",
  sure: "Die IoU, die das Modell von dieser Region erwartet",
  eye: (isShown, region) => `Region ${region} ${isShown ? "ausblenden" : "zeigen"}; sie behält ihre Pixel`,
  lock: (isLocked, region) => (isLocked ? `Region ${region} entsperren` : `Region ${region} sperren: ihre Pixel bleiben, wie sie sind`),
  confirm: (name) => `Die Klasse ${name} bestätigen`,
  guessed: "Das Modell vermutet diese Klasse: bestätigen Sie sie, oder geben Sie eine andere",
  clean: (count) => (count === 0 ? "Keine Inseln und Löcher" : `${count === null ? "" : `${number(count)} `}Inseln und Löcher beseitigen`),
};

const classes = {
  search: "suchen",
  ofNew: "Klasse neuer Regionen",
  guess: (name, key) => `${name}? ${key} bestätigt`,
  create: (name) => `Neue Klasse "${name}" ...`,
  kinds: ["Stoff", "Ding"],
  none: "Noch keine Klasse wurde eingetippt. Die Klassen vom Start des Annotators bleiben, wie sie sind.",
  nameOf: (name) => `Name von ${name}`,
  mergeInto: "vereinen mit ...",
  mergeOf: (name) => `${name} vereinen mit`,
  remove: "Entfernen",
  removeOf: (name) => `${name} entfernen`,
  removed: (name) => `${name} ist entfernt`,
  renamed: (before, name) => `${before} heißt jetzt ${name}`,
  merged: (name, other) => `${name} ist jetzt Teil von ${other}`,
  sure: (name, other) => `Alle Regionen der Klasse ${name}, in allen Bildern, werden ${other}. Das kann man nicht rückgängig machen.`,
};

const checks = {
  show: "Zeigen",
  empty: (count) => `${number(count)} px haben keine Region (VOID)`,
  guessed: (count, ids) => `${regions(count)}: die Klasse ist vermutet, nicht bestätigt (${ids})`,
  classless: (count, ids) => `${regions(count)}: ohne Klasse (${ids})`,
  tiny: (region, area) => `Region ${region} hat ${number(area)} Pixel`,
  islands: (region, count, area) => `Region ${region} hat ${many(count, "Insel", "Inseln")}, zusammen ${number(area)} px`,
};

const keyHelp = {
  all: "Ein Klick auf eine Taste ändert sie. Dieser Browser merkt sich Ihre Tasten.",
  reset: "Alle Tasten sind wie am Anfang.",
  press: (what) => `Drücken Sie die neue Taste für: ${what}. Escape lässt sie, wie sie ist.`,
};

const footer = {
  took: (ms) => `${ms} ms`,
  empty: (count) => `${number(count)} px ohne Region`,
  filled: (count) => `${number(count)} px gefüllt`,
  unconfirmed: (count) => `${many(count, "Klasse", "Klassen")} zu bestätigen`,
  loose: (count) => many(count, "Insel oder Loch", "Inseln und Löcher"),
  size: (width, height, zoom) => `${width} x ${height} px, Zoom ${zoom} %`,
  underWay: (what, others) => `${what}${others ? ` und ${others} mehr` : ""} ...`,
  model: (isLoaded) => (isLoaded ? "das Modell rechnet ..." : "das Modell wird geladen ..."),
  saving: "wird gespeichert",
  add: () => "eine Region wird markiert",
  box: () => "eine Region wird markiert",
  move: ({ region }) => `Region ${region} wird neu markiert`,
  scribbles: ({ strokes }) => (strokes.length === 1 ? "ein Strich wird gesendet" : `${strokes.length} Striche werden gesendet`),
  brush: ({ erase }) => (erase ? "es wird radiert" : "es wird gemalt"),
  polygon: () => "ein Polygon wird gefüllt",
  hole: () => "ein Loch wird gefüllt",
  clean: () => "Inseln und Löcher werden beseitigt",
  delete: ({ region }) => `Region ${region} wird gelöscht`,
  merge: ({ region, other }) => `Regionen ${region} und ${other} werden vereint`,
  describe: ({ region }) => `Region ${region} wird benannt`,
  lock: ({ region }) => `Region ${region} wird gesperrt`,
  unlock: ({ region }) => `Region ${region} wird entsperrt`,
  fill: ({ filled }) => (filled ? "der Rest wird gefüllt" : "der Rest wird geleert"),
  undo: () => "wird rückgängig gemacht",
  redo: () => "wird wiederhergestellt",
};

const percent = (part) => `${(100 * part).toFixed(1).replace(".", ",")} %`;
const minutes = (seconds) => `${(seconds / 60).toFixed(1).replace(".", ",")} Minuten`;
const each = ({ strokes, seconds }) => `${strokes.toFixed(1).replace(".", ",")} Striche und ${minutes(seconds)}`;
const lines = (count) => (count === 1 ? "1 Strich" : `${count} Striche`);

const welcome = [
  (key) => `Markieren (${key("m")}): den linken, oberen, rechten und unteren äußersten Punkt einer Region anklicken. Alle Regionen, auch den Hintergrund.`,
  (key) => `Korrigieren (${key("c")}): dorthin ziehen, was einer Region fehlt. Alle Regionen folgen. Pinsel (${key("b")}) und Radierer (${key("e")}) sind genau.`,
  (key) => `Fertig (${key("Ctrl+Enter")}) exportiert das Bild und öffnet das nächste. Alles wird sofort gespeichert; ${key("?")} zeigt alle Tasten.`,
];

const models = {
  inUse: (name) => `In Gebrauch: ${name}.`,
  learnt: (images) => `gelernt, ${many(images, "Bild", "Bilder")}`,
  learntNow: "In Gebrauch ist ein Modell, das aus Ihren Bildern gelernt hat: siehe Lernen.",
  keeps: "Alle Arbeit bleibt, wenn Sie das Modell wechseln, und auch die Klassen. Bilder, die nicht fertig sind, werden neu segmentiert.",
  loading: (name) => `${name} wird geladen ...`,
  current: "In Gebrauch",
  use: "Verwenden",
  strokes: ({ by_strokes, eta }) => {
    if (eta !== null) return `Es folgt Strichen: einer behebt ${percent(eta)} des Fehlers, für den er gezogen wird.`;
    if (by_strokes === null) return "Ob es Strichen folgt, ist nicht bekannt.";
    return by_strokes ? "Es hat gelernt, Strichen zu folgen." : "Es hat nur mit äußersten Punkten gelernt und folgt Strichen kaum.";
  },
  scores: ({ iou, measured_on, scribbles }) =>
    iou.length ? `IoU ${measured_on}: ${percent(iou[0])} ohne Striche, ${percent(iou.at(-1))} bei ${scribbles.at(-1).toFixed(1).replace(".", ",")} pro Region` : "",
};

const learning = {
  tooFew: (count, needed) => `${count === 1 ? "1 Bild ist" : `${count} Bilder sind`} fertig. Ein Modell lernt aus mindestens ${needed}.`,
  about: (count, part) =>
    `${count} Bilder sind fertig. Das Modell lernt aus ihnen weiter, so wie sie sind. Etwa eines von ${part} wird zurückgehalten: das ` +
    "neue Modell wird nur angeboten, wenn es dort weniger Ihrer Striche braucht. Das dauert einige Minuten. Sie können solange " +
    "weiterarbeiten. Bilder, die nicht fertig sind, ändern sich, wenn Sie das neue Modell verwenden. Sie können zum Modell davor zurück.",
  goesOn: (said) => `Es lernt: ${said}`,
  inUse: (name) => `In Gebrauch: ${name}`,
  inUseLearnt: (images) => `In Gebrauch: das Modell, das aus ${images} Bildern gelernt hat`,
  result: ({ held_back, iou, strokes }) =>
    `Auf ${held_back === 1 ? "1 zurückgehaltenen Bild" : `${held_back} zurückgehaltenen Bildern`}: IoU ohne Striche vorher ` +
    `${percent(iou[0])}, nachher ${percent(iou[1])}; Striche pro Bild für gleiche Qualität vorher ` +
    `${strokes[0].toFixed(1).replace(".", ",")}, nachher ${strokes[1].toFixed(1).replace(".", ",")}.`,
  remembered: (scores) =>
    scores
      ? `Auf den Daten, aus denen es entstand: vorher ${percent(scores[0])}, nachher ${percent(scores[1])}.`
      : "Die Daten, aus denen es entstand, sind nicht da. Es kann also Bilder anderer Art vergessen haben.",
  notBetter: "Es ist nicht in beidem besser, darum wird es nicht angeboten.",
  ready: "Ein besseres Modell ist da: siehe Lernen",
  ended: "Das Lernen ist zu Ende: siehe Lernen",
  row: ({ image, strokes, seconds }) => `${image}: ${lines(strokes)}, ${minutes(seconds)}`,
  mean: (effort) => `Ein Bild hat ${each(effort)} gebraucht.`,
  trend: (count, first, last) => `Die ersten ${count} Bilder brauchten je ${each(first)}, die letzten ${count} ${each(last)}.`,
  nothingYet: "Mit dem Modell, das gelernt hat, wurde noch kein Bild begonnen und beendet. Darum ist nicht bekannt, was es spart.",
  saving: (before, after) => {
    const saved = (before.strokes - after.strokes) * after.regions;
    const sums = `${many(before.images, "Bild", "Bilder")} vorher: ${before.strokes.toFixed(2)} Striche je Region; ` +
      `${many(after.images, "Bild", "Bilder")} mit dem Modell, das gelernt hat: ${after.strokes.toFixed(2)}`;
    return saved > 0 ? `${sums}. Das spart ${saved.toFixed(1)} Striche je Bild.` : `${sums}. Bisher spart es nichts.`;
  },
  done: ({ strokes, seconds }) => `Fertig: ${lines(strokes)}, ${minutes(seconds)}.`,
};

export default { locale: "de", page, keys, hints, said, status, where, lists, classes, checks, keyHelp, footer, welcome, models, learning };
