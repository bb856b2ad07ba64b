// The page about the service: a form to try it, and lines that name this service and can be copied.

import { copyable } from "./copy.js";
import { $ } from "./dom.js";

const HERE = new URL(".", location).href.slice(0, -1);
const WRITTEN = "http://127.0.0.1:3000"; // where the lines, as they come, expect the service

const REASONS = { blank: "there is no ink", not_a_digit: "this is unlike any", multiple: "there is more than one digit",
  uncertain: "it is not sure enough" };

for (const code of document.querySelectorAll(".lines code")) {
  code.textContent = code.textContent.replaceAll(WRITTEN, HERE);
  copyable(code.closest("figure"), code);
}

for (const choice of document.querySelectorAll("[name=language]")) {
  choice.addEventListener("change", show);
}

function show() {
  const chosen = document.querySelector("[name=language]:checked").value;
  for (const figure of document.querySelectorAll(".lines")) {
    figure.classList.toggle("other", figure.dataset.language !== chosen);
  }
}

$("languages").hidden = false;
show();

for (const button of document.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", async () => {
    const picture = await fetch(`page/samples/${button.dataset.sample}`).catch(() => null);
    ask(picture?.ok ? await picture.blob() : null);
  });
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask($("picture").files[0]);
});

let asked = 0;

async function ask(file) {
  const turn = ++asked;
  $("told").textContent = "Asking…";
  const [said, answer] = file ? await answered(file) : [NOBODY, null];
  if (turn !== asked) return; // another picture was asked about meanwhile
  $("told").textContent = said;
  $("json").hidden = !answer;
  $("json").textContent = answer ? written(answer) : "";
  $(answer ? "json" : "told").scrollIntoView({ block: "nearest" });
}

const NOBODY = "The service does not answer. Is it running?";

/** What came of a question, in words, and the service's JSON. */
async function answered(file) {
  const form = new FormData();
  form.append("image", file, file.name ?? "image");
  const began = performance.now();
  try {
    const response = await fetch("predict", { method: "POST", body: form });
    const answer = await response.json();
    const head = `${response.status} after ${Math.ceil(performance.now() - began)} ms`;
    return [`${head}: ${response.ok ? words(answer) : answer.error.message}`, answer];
  } catch {
    return [NOBODY, null];
  }
}

const words = ({ digit, reason }) => (reason ? `no digit, since ${REASONS[reason]}.` : `the digit ${digit}.`);

/** JSON for people: indented, but a list of numbers on one line. */
function written(value) {
  return JSON.stringify(value, null, 2).replace(/\[([-\d\s.,e]*)\]/g,
    (_, list) => `[${list.trim().replace(/\s+/g, " ")}]`);
}
