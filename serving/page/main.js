// Inkwell's page: what is on the paper is asked about, and the answer is shown, from outside or from inside.

import { showAnswer, showFailure, showNote, speak } from "./answer.js";
import { Asker, askOnce, get } from "./ask.js";
import { $ } from "./dom.js";
import { showExamples } from "./examples.js";
import { awaitInside, showInside } from "./inside.js";
import { showModel } from "./model.js";
import { due, restart } from "./pace.js";
import { Paper } from "./paper.js";
import { decode, inGrey, picture } from "./raster.js";
import { openTab, tabs } from "./tabs.js";
import { save, showCommand } from "./take.js";

let model = null;
let source = null;
let label; // which digit it is, where that is known
const watchers = new Map(); // by panel, what is to be told of each change while it is open

const asker = new Asker(
  (answer, { path, source, lighting, label }) => {
    showAnswer(path === "explain" ? answer.answer : answer, label);
    if (lighting) speak();
    if (path === "explain") showInside(answer, model?.novelty_threshold, lighting, source);
  },
  (message) => { showFailure(message); showInside(null); },
  (is) => $("reading").setAttribute("aria-busy", is),
  showNote,
);

function ask(lighting) {
  if (!source) return;
  const path = !$("inside").hidden && (lighting || due()) ? "explain" : "predict";
  if (path === "explain") awaitInside();
  asker.ask({ path, source, lighting, label });
}

function changed(given, known, { past, future }) {
  [source, label] = [given, known];
  for (const [panel, callback] of watchers) if (!$(panel).hidden) callback(source);
  $("undo").disabled = !past.length;
  $("redo").disabled = !future.length;
  $("save").disabled = !source;
  if (source) return ask(false);
  restart();
  asker.forget();
  showAnswer(null);
  speak();
  showInside(null);
  write();
}

/** Write the command that asks about what is on the paper, where it is looked at. */
function write() {
  if ($("take").open) showCommand(source?.() ?? null);
}

function rested() {
  ask(true);
  write();
}

/** A picture of a file that only the service can read. */
async function developed(file) {
  const { reading: { picture: raster } } = await askOnce("explain", file);
  return picture(inGrey(decode(raster)), raster.shape[1], raster.shape[0]);
}

const paper = new Paper($("paper"), $("nib"), { changed, developed, rested, refused: showFailure });

function open(file, label) {
  if (file) paper.open(file, label);
}

$("clear").addEventListener("click", () => paper.clear());
$("undo").addEventListener("click", () => paper.undo());
$("redo").addEventListener("click", () => paper.redo());
$("save").addEventListener("click", () => save(source()));
$("take").addEventListener("toggle", write);
showExamples((strokes) => paper.lay(strokes));
$("eraser").addEventListener("click", () => {
  paper.erases = !paper.erases;
  $("eraser").setAttribute("aria-pressed", paper.erases);
  $("sheet").classList.toggle("erasing", paper.erases);
});
addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  const key = event.key.toLowerCase();
  if (key === "y" || (key === "z" && event.shiftKey)) paper.redo();
  else if (key === "z") paper.undo();
  else return;
  event.preventDefault();
});
for (const [button, input] of [["open", "file"], ["photograph", "camera"]]) {
  $(button).addEventListener("click", () => $(input).click());
  $(input).addEventListener("change", (event) => { open(event.target.files[0]); event.target.value = ""; });
}
addEventListener("paste", (event) => open(event.clipboardData.files[0]));
addEventListener("dragover", (event) => { event.preventDefault(); $("sheet").classList.add("over"); });
addEventListener("dragleave", () => $("sheet").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  $("sheet").classList.remove("over");
  open(event.dataTransfer.files[0]);
});

let learning = null;

/** Learn what is served, unless that is known or on its way; where it cannot be, another tab opened tries again. */
async function learn() {
  learning ??= Promise.all([get("model"), get("page/card.json")]);
  const [told, card] = await learning;
  if (model || !told) return void (learning = told && learning);
  model = told;
  showModel(model, card ?? {}, (file, label) => { open(file, label); openTab("inside"); scrollTo({ top: 0 }); });
}

/** What a view of a module of its own may know of the paper, and do to it. */
const desk = (panel) => ({
  source: () => source,
  changes: (callback) => watchers.set(panel, callback),
  show: open,
});

tabs(async (name, module) => {
  if (name === "inside") ask(true);
  learn();
  if (module) (await import(`./${module}`)).open(desk(name));
});
