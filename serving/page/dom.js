// Small helpers for making elements and wording numbers.

export const $ = (id) => document.getElementById(id);

/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A probability in words: nothing is quite certain. */
export function percent(share) {
  if (share >= 0.9995) return ">\u00a099.9\u00a0%";
  return `${(100 * share).toFixed(share > 0.995 ? 1 : 0)}\u00a0%`;
}

export const count = (number) => number.toLocaleString("en");
