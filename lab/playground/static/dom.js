// Small helpers for building the page. Text is only ever set as text, never parsed as HTML, so that
// a run may be called <img onerror=…> and nothing happens.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "line", "path", "polyline", "rect", "circle", "title", "text"]);

/** An element: properties starting with "on" are listeners, "class", "data-…" and "aria-…" are
 * attributes, children are elements or texts (null and false are left out). */
export function h(tag, properties = {}, ...children) {
  const svg = SVG_TAGS.has(tag);
  const element = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (!svg && name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/** A button that does one thing. */
export function button(text, onclick, properties = {}) {
  return h("button", { type: "button", onclick, ...properties }, text);
}

/** Exchange what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/** 0.973 as "97 %"; what is not quite all or nothing never reads as such. */
export function percent(share) {
  if (share > 0 && share < 0.005) return "under 1\u00a0%";
  if (share < 1 && share >= 0.995) return "over 99\u00a0%";
  return `${Math.round(100 * share)}\u00a0%`;
}

/** "a", "a and b", "a, b and c". */
export function listed(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

/** Call `work` once things have been quiet for some milliseconds. */
export function settled(work, milliseconds) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), milliseconds);
  };
}
