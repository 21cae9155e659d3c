// The name of a pressed key, as the list of keys writes it: "m", "Shift+f", "Ctrl+z", "[", "PageDown".

// What is printed on the keys of a US keyboard, by `event.code`, where it is no letter or digit.
const PLACES = {
  Backquote: "`", Minus: "-", Equal: "=", BracketLeft: "[", BracketRight: "]", Backslash: "\\",
  Semicolon: ";", Quote: "'", Comma: ",", Period: ".", Slash: "/",
};

const placeOf = (code) => PLACES[code] ?? /^(?:Key|Digit)(.)$/.exec(code)?.[1].toLowerCase();
const isSign = (key) => key.length === 1 && key !== " " && key.toLowerCase() === key.toUpperCase(); // no letter

// Return the names of a key, the best first: by what is printed on it, then by its place. Letters of other alphabets, and signs
// that a keyboard has elsewhere ("[" of a German one), are found by their place.
export function namesOf(event) {
  const { key, code } = event;
  const altGr = event.getModifierState("AltGraph");
  const own = key === " " ? "Space" : key.length === 1 ? key.toLowerCase() : key;
  const typed = withModifiers(event, own, { altGr, shift: event.shiftKey && !isSign(key) }); // Shift has made the sign
  const place = placeOf(code);
  if (!place || altGr || key.length > 1 || /^[a-z0-9]$/i.test(key)) return [typed];
  return [typed, withModifiers(event, place, { shift: event.shiftKey })];
}

function withModifiers(event, name, { altGr = false, shift }) {
  const modifiers = [
    !altGr && (event.ctrlKey || event.metaKey) && "Ctrl",
    !altGr && event.altKey && "Alt",
    shift && "Shift",
  ];
  return [...modifiers.filter(Boolean), name].join("+");
}
