// Small helpers for making elements and wording numbers.

export const $ = (id) => document.getElementById(id);

/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const percent = (share, digits = share > 0.995 && share < 0.9995 ? 1 : 0) => `${(100 * share).toFixed(digits)} %`;

export const count = (number) => number.toLocaleString("en");
