// The tabs, as the ARIA practices describe them; the address keeps which is open.

import { $ } from "./dom.js";

const NAMES = ["answer", "inside", "model"];
let opened = () => {};

/** Make the tabs work; `told(name)` learns which one was opened. */
export function tabs(told) {
  opened = told;
  NAMES.forEach((name, index) => {
    const tab = $(`tab-${name}`);
    tab.addEventListener("click", () => openTab(name));
    tab.addEventListener("keydown", ({ key }) => {
      const way = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!way) return;
      const next = NAMES[(index + way + NAMES.length) % NAMES.length];
      openTab(next);
      $(`tab-${next}`).focus();
    });
  });
  const addressed = () => (NAMES.includes(location.hash.slice(1)) ? location.hash.slice(1) : NAMES[0]);
  addEventListener("hashchange", () => openTab(addressed()));
  openTab(addressed());
}

export function openTab(name) {
  for (const each of NAMES) {
    const chosen = each === name;
    $(each).hidden = !chosen;
    $(`tab-${each}`).setAttribute("aria-selected", chosen);
    $(`tab-${each}`).tabIndex = chosen ? 0 : -1;
  }
  history.replaceState(null, "", name === NAMES[0] ? location.pathname : `#${name}`);
  opened(name);
}
