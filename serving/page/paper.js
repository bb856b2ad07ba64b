// The paper: strokes by mouse, pen, finger or keyboard, or an image that was opened, dropped or pasted.

import { blank, encoded, fit, load } from "./image.js";

const INK = "#141b2d";
const WIDTH = 40; // of a stroke as it is shown, on 560 pixels
const [FINE, BROAD] = [0.08, 0.12]; // the widths of a stroke as it is sent, as shares of the drawing's longer side
const SENT = 280; // side of the picture that is sent
const STEP = 20; // what an arrow key moves the pen by; with Shift a quarter

export class Paper {
  /** `changed(source)` is told of every change: a function that gives the image file to ask about, or null if blank,
   *  and which digit it is where that is known.
   *  `rested()` is told when a stroke or an image is complete. */
  constructor(canvas, nib, changed, rested) {
    Object.assign(this, { canvas, nib, changed, rested });
    this.pen = canvas.getContext("2d");
    this.strokes = [];
    this.stroke = null;
    this.image = null;
    this.at = [canvas.width / 2, canvas.height / 2];
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.#lift());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) this.#place(); });
    canvas.addEventListener("blur", () => { nib.hidden = true; if (this.keyed) this.#lift(); });
    this.clear();
  }

  clear() {
    this.strokes = [];
    this.image = null;
    this.stroke = null;
    this.opening = null;
    this.#redraw();
  }

  undo() {
    if (this.strokes.length) this.strokes.pop();
    else this.image = null;
    this.#redraw();
    this.rested();
  }

  /** Lay an image on the paper, of which it may be known which digit it is. */
  async open(file, label) {
    this.clear();
    this.opening = file;
    const image = await load(file);
    if (this.opening !== file) return; // cleared, or another one opened meanwhile
    this.image = { ...image, label };
    this.#redraw();
    this.rested();
  }

  #redraw() {
    const { width, height } = this.canvas;
    this.pen.clearRect(0, 0, width, height);
    if (this.image?.picture) fit(this.pen, this.image.picture, width, height);
    this.strokes.forEach((stroke) => ink(this.pen, stroke, WIDTH));
    this.#tell();
  }

  #tell() {
    const { strokes, image } = this;
    this.canvas.parentElement.classList.toggle("drawn", Boolean(strokes.length || image));
    if (strokes.length) this.changed(() => this.#drawing());
    else this.changed(image ? () => image.file : null, image?.label);
  }

  /** The drawing as it is sent: as it is shown where there is an image under it, else with a pen that suits its size. */
  #drawing() {
    const { canvas, strokes, image } = this;
    const copy = blank(SENT, SENT);
    copy.scale(SENT / canvas.width, SENT / canvas.height);
    if (image?.picture) copy.drawImage(canvas, 0, 0);
    else {
      const width = suited(strokes);
      strokes.forEach((stroke) => ink(copy, stroke, width));
    }
    return encoded(copy.canvas, "image/png");
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  #begin(point) {
    this.stroke = [point];
    this.strokes.push(this.stroke);
    this.#go([]);
  }

  #go(points) {
    this.stroke.push(...points);
    ink(this.pen, this.stroke.slice(-points.length - 1), WIDTH);
    this.#tell();
  }

  #lift() {
    if (!this.stroke) return;
    this.stroke = null;
    this.keyed = false;
    this.nib.classList.remove("down");
    this.rested();
  }

  #down(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.#lift();
    this.canvas.setPointerCapture(event.pointerId);
    this.#begin(this.#point(event));
  }

  #move(event) {
    if (!this.stroke || this.keyed || !event.isPrimary) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    this.#go((moves.length ? moves : [event]).map((move) => this.#point(move)));
  }

  #key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) this.#step(way, event.shiftKey ? STEP / 4 : STEP);
    else if (event.key === " ") this.keyed ? this.#lift() : this.#lower();
    else if (event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey))) this.undo();
    else if (event.key === "Escape") this.clear();
    else return;
    event.preventDefault();
  }

  #lower() {
    this.keyed = true;
    this.nib.classList.add("down");
    this.#place();
    this.#begin([...this.at]);
  }

  #step([right, down], length) {
    const { width, height } = this.canvas;
    const within = (value, most) => Math.min(Math.max(value, WIDTH / 2), most - WIDTH / 2);
    this.at = [within(this.at[0] + right * length, width), within(this.at[1] + down * length, height)];
    this.#place();
    if (this.keyed) this.#go([[...this.at]]);
  }

  #place() {
    this.nib.hidden = false;
    this.nib.style.left = `${(100 * this.at[0]) / this.canvas.width}%`;
    this.nib.style.top = `${(100 * this.at[1]) / this.canvas.height}%`;
  }
}

function ink(pen, stroke, width) {
  pen.strokeStyle = INK;
  pen.lineWidth = width;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  stroke.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  if (stroke.length === 1) pen.lineTo(stroke[0][0] + 0.01, stroke[0][1]); // a line of no length would leave no dot
  pen.stroke();
}

/** The width of a pen that keeps a small drawing from being a blob; a dot stays one. */
function suited(strokes) {
  const points = strokes.flat();
  const side = Math.max(...[0, 1].map((axis) => extent(points.map((point) => point[axis]))));
  return side < WIDTH ? WIDTH : Math.min(Math.max(WIDTH, FINE * side), BROAD * side);
}

const extent = (values) => values.reduce((most, value) => Math.max(most, value), -Infinity)
  - values.reduce((least, value) => Math.min(least, value), Infinity);
