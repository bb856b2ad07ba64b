// The paper: strokes by mouse, pen, finger or keyboard, or an image that was opened, dropped or pasted.

import { History } from "./history.js";
import { blank, encoded, fit, load, transparent } from "./image.js";
import { WIDTH, draw, suited } from "./pen.js";

const SENT = 280; // side of the picture that is sent
const STEP = 20; // what an arrow key moves the pen by; with Shift a quarter
const ERASER_END = 5; // the button of a pen that is held the other way round

export class Paper {
  /** What the paper tells, `told`: `changed(source, label, history)` of every change, with a function that gives the
   *  image file to ask about, or null if blank, and which digit it is where that is known; `rested()` when a stroke or
   *  an image is complete; `refused(message)` why a file was not laid on it; and it asks for `developed(file)`, a
   *  picture of a file that this browser cannot show. */
  constructor(canvas, nib, told) {
    Object.assign(this, { canvas, nib, told });
    this.pen = canvas.getContext("2d");
    this.layer = transparent(canvas.width, canvas.height);
    this.history = new History({ strokes: [], image: null });
    this.stroke = this.opening = null;
    this.erases = false;
    this.at = [canvas.width / 2, canvas.height / 2];
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointerenter", (event) => this.#enter(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.#lift());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) this.#place(); });
    canvas.addEventListener("blur", () => { nib.hidden = true; if (this.keyed) this.#lift(); });
    this.#redraw();
  }

  clear() {
    this.stroke = this.opening = null;
    if (!this.#isBlank()) this.history.put({ strokes: [], image: null });
    this.#redraw();
  }

  undo() {
    this.#travel("undo");
  }

  redo() {
    this.#travel("redo");
  }

  /** Lay an image on the paper, of which it may be known which digit it is. What cannot be read changes nothing. */
  async open(file, label) {
    this.opening = file;
    let image, trouble;
    try {
      image = await load(file, this.told.developed);
    } catch (error) {
      trouble = error.message;
    }
    if (this.opening !== file) return; // cleared, or another one opened meanwhile
    this.opening = null;
    if (trouble) return this.told.refused(trouble);
    this.history.put({ strokes: [], image: { ...image, label } });
    this.#redraw();
    this.told.rested();
  }

  /** Lay strokes on the paper in the place of what is there. */
  lay(strokes) {
    this.stroke = this.opening = null;
    this.history.put({ strokes, image: null });
    this.#redraw();
    this.told.rested();
  }

  #travel(way) {
    this.#lift();
    this.opening = null;
    this.history[way]();
    this.#redraw();
    this.told.rested();
  }

  #isBlank() {
    return !this.history.now.strokes.length && !this.history.now.image;
  }

  #redraw() {
    const { width, height } = this.canvas;
    this.layer.clearRect(0, 0, width, height);
    this.history.now.strokes.forEach((stroke) => draw(this.layer, stroke, this.#look()));
    this.#show();
  }

  #look() {
    return { isDark: Boolean(this.history.now.image?.ground) };
  }

  #show() {
    const { pen, canvas: { width, height }, layer, history: { now: { image } } } = this;
    pen.clearRect(0, 0, width, height);
    if (image?.ground) {
      pen.fillStyle = image.ground;
      pen.fillRect(0, 0, width, height);
    }
    if (image) fit(pen, image.picture, width, height);
    pen.drawImage(layer.canvas, 0, 0);
    this.#tell();
  }

  #tell() {
    const { strokes, image } = this.history.now;
    this.canvas.parentElement.classList.toggle("drawn", !this.#isBlank());
    if (strokes.length) this.told.changed(() => this.#drawing(), undefined, this.history);
    else this.told.changed(image ? () => image.file : null, image?.label, this.history);
  }

  /** The drawing as it is sent: as it is shown where there is an image under it, else with a pen that suits its size. */
  #drawing() {
    const { canvas, history: { now: { strokes, image } } } = this;
    const copy = blank(SENT, SENT);
    if (image) copy.drawImage(canvas, 0, 0, SENT, SENT);
    else {
      const sheet = transparent(SENT, SENT);
      sheet.scale(SENT / canvas.width, SENT / canvas.height);
      const width = suited(strokes);
      strokes.forEach((stroke) => draw(sheet, stroke, { width }));
      copy.drawImage(sheet.canvas, 0, 0);
    }
    return encoded(copy.canvas, "image/png");
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  #begin(point, erases = this.erases) {
    const { strokes, image } = this.history.now;
    this.stroke = { points: [point], erases };
    this.history.put({ strokes: [...strokes, this.stroke], image });
    this.#go([]);
  }

  #go(points) {
    const first = this.stroke.points.length - 1;
    this.stroke.points.push(...points);
    draw(this.layer, this.stroke, { ...this.#look(), first });
    this.#show();
  }

  #lift() {
    if (!this.stroke) return;
    this.stroke = null;
    this.keyed = false;
    this.nib.classList.remove("down");
    this.told.rested();
  }

  #down(event) {
    if (![0, ERASER_END].includes(event.button) || !event.isPrimary) return;
    this.#lift();
    this.canvas.setPointerCapture(event.pointerId);
    this.#begin(this.#point(event), this.erases || event.button === ERASER_END);
  }

  /** A stroke that began beside the paper begins where it reaches it. */
  #enter(event) {
    if (event.buttons !== 1 || !event.isPrimary || event.pointerType === "touch" || this.stroke) return;
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
    else if (event.key === "Backspace") this.undo();
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
