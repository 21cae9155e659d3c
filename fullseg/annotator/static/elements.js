// Makes elements of the page.

export const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

// Enter on an item of a list picks it. It must not be taken for a key of the page.
export function onEnter(event, what) {
  if (event.key !== "Enter" || event.target !== event.currentTarget) return;
  event.stopPropagation();
  what();
}
