// Groups whose members share one stop of the Tab key: arrow keys go from one to the next.

const STEPS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 };

// Let arrow keys move within an element. `members()` returns its members; `reached(member)` is called when a key has moved to one.
export function rove(element, members, reached = () => {}) {
  element.addEventListener("keydown", (event) => {
    const all = members();
    const from = all.indexOf(event.target);
    const step = STEPS[event.key];
    if (from < 0 || !step || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // it is no key of the page now
    const next = all[(from + step + all.length) % all.length];
    next.focus();
    reached(next);
  });
}

// Make one member the stop of the Tab key: the current one, else the first.
export function stopAt(members, isCurrent) {
  const stop = members.find(isCurrent) ?? members[0];
  for (const member of members) member.tabIndex = member === stop ? 0 : -1;
}
