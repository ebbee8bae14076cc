// Small helpers to build elements. Text is always text: labels come from files.

/**
 * @typedef {{ style?: Partial<CSSStyleDeclaration>, [attribute: `${"aria" | "data"}-${string}`]: string }} Attributes
 */

/**
 * Make an element with properties, attributes (keys with a dash, or role), listeners (on...) and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<Omit<HTMLElementTagNameMap[Tag], "style">> & Attributes} props
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, props, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key === "style") Object.assign(made.style, value);
    else if (key.includes("-") || key === "role") made.setAttribute(key, String(value));
    else Object.assign(made, { [key]: value });
  }
  made.append(...children);
  return made;
}

/**
 * A box to tick.
 *
 * @type {(text: string, on: boolean, title: string, change: (on: boolean) => void) => HTMLElement}
 */
export function check(text, on, title, change) {
  const box = element("input", { type: "checkbox", checked: on });
  box.addEventListener("change", () => change(box.checked));
  return element("label", { className: "check", title }, box, document.createTextNode(text));
}

/**
 * What draws on a canvas; every browser has it.
 *
 * @param {HTMLCanvasElement} canvas
 */
export function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser cannot draw.");
  return context;
}

const SHAPES = {
  pan: "M12 3v18M3 12h18M12 3l-3 3M12 3l3 3M12 21l-3-3M12 21l3-3M3 12l3-3M3 12l3 3M21 12l-3-3M21 12l-3 3",
  lasso: "M5 14C2 9 6 4 12 4s10 4 8 8-8 5-12 4c-2-.6-3 .8-2 2.400s2 2 1 3.600",
  polygon: "M4 9l8-5 8 6-3 9H7z",
  box: "M4 6h16v12H4z",
  turn: "M19 12a7 7 0 1 1-2-5M19 3v5h-5",
  flip: "M12 3v18M9 7L3 17h6zM15 7l6 10h-6z",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  near: "M12 5v14M5 12h14",
  far: "M5 12h14",
  link: "M9 15l6-6M8 11l-3 3a3.500 3.500 0 0 0 5 5l3-3M16 13l3-3a3.500 3.500 0 0 0-5-5l-3 3",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9.500h.01",
  undo: "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 0 0c3 0 6 2 6 6",
  redo: "M15 7l5 5-5 5M20 12H10c-3 0-6 2-6 6",
  help: "M9 9a3 3 0 1 1 4 2.800c-1 .5-1 1.200-1 2.200M12 18h.01",
  landmark: "M12 4v6M12 14v6M4 12h6M14 12h6",
};

/**
 * A drawn sign for a button.
 *
 * @param {keyof typeof SHAPES} name
 */
export function sign(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

/** A number with thousands separated, as elsewhere in the dashboard. */
export const many = (/** @type {number} */ n) => Math.round(n).toLocaleString("en-US");

/** A number as a reader needs it: three digits. */
export const short = (/** @type {number} */ value) =>
  value === 0 ? "0" : String(Number(value.toPrecision(3)));
