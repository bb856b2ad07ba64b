// The tabs, as the ARIA practices describe them; the address keeps which is open.

import { $ } from "./dom.js";

const all = [...document.querySelectorAll('[role="tab"]')];
const NAMES = all.map((tab) => tab.getAttribute("aria-controls"));
let opened = () => {};

/** Make the tabs work; `told(name, module)` learns which one was opened, and what its tab names as its module. */
export function tabs(told) {
  opened = told;
  all.forEach((tab, index) => {
    tab.addEventListener("click", () => openTab(NAMES[index]));
    tab.addEventListener("keydown", ({ key }) => {
      const way = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!way) return;
      const next = (index + way + all.length) % all.length;
      openTab(NAMES[next]);
      all[next].focus();
    });
  });
  const addressed = () => (NAMES.includes(location.hash.slice(1)) ? location.hash.slice(1) : NAMES[0]);
  addEventListener("hashchange", () => openTab(addressed()));
  openTab(addressed());
}

export function openTab(name) {
  all.forEach((tab, index) => {
    const chosen = NAMES[index] === name;
    $(NAMES[index]).hidden = !chosen;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  });
  const [list, { offsetLeft, offsetWidth }] = [$(`tab-${name}`).parentElement, $(`tab-${name}`)];
  list.scrollLeft = offsetLeft - (list.clientWidth - offsetWidth) / 2; // where there is no room for all
  history.replaceState(null, "", name === NAMES[0] ? location.pathname : `#${name}`);
  opened(name, $(`tab-${name}`).dataset.module);
}
