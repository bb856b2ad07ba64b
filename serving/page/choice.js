// One out of several, as a row or a grid of radio buttons: one stop of the Tab key, arrows inside.

import { make } from "./dom.js";

/** A group of radios, `label` its name; each of `items` has a `name` to be read and `content` to be seen. `told(index)`
 *  learns of each choice, and at once of the first. */
export function choice(label, items, told, chosen = 0, className = "dream-choice") {
  const radios = items.map(({ name, content }, index) => {
    const radio = make("button", { type: "button", ariaLabel: name }, content ?? name);
    radio.setAttribute("role", "radio");
    radio.addEventListener("click", () => choose(index));
    return radio;
  });
  const choose = (index) => {
    radios.forEach((radio, place) => {
      radio.setAttribute("aria-checked", place === index);
      radio.tabIndex = place === index ? 0 : -1;
    });
    told(index);
  };
  const group = make("div", { className, ariaLabel: label }, ...radios);
  group.setAttribute("role", "radiogroup");
  group.addEventListener("keydown", (event) => {
    const columns = radios.filter(({ offsetTop }) => offsetTop === radios[0].offsetTop).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = radios.indexOf(document.activeElement) + step;
    if (!(next in radios)) return;
    choose(next);
    radios[next].focus();
  });
  choose(chosen);
  return group;
}
