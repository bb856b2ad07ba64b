// Lines that can be copied.

import { make } from "./dom.js";

const COPIED_FOR = 2000; // milliseconds that "Copied" is shown

/** Lay a button over a figure that copies what stands in `code`. */
export function copyable(figure, code) {
  const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
  button.addEventListener("click", () => copy(code, button));
  figure.append(button);
}

async function copy(code, button) {
  getSelection().selectAllChildren(code);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch { // without HTTPS, or where it is not allowed, what is selected can be copied by hand
    button.textContent = "Selected: copy it";
  }
  setTimeout(() => { button.textContent = "Copy"; }, COPIED_FOR);
}
