// 28 x 28 pixels that can be painted, by mouse, pen, finger or keyboard.

import { inGrey } from "./raster.js";

export const SIDE = 28;

export class Pixels {
  /** `told`: `changed()` of every change, `rested()` when it is complete, `pointed([row, column], ink)` of the pixel
   *  that is pointed at. `level`: what is painted, 0 to 255. */
  constructor(canvas, cell, told) {
    Object.assign(this, { canvas, cell, told, level: 255, at: [13, 13], down: false });
    this.values = new Uint8Array(SIDE * SIDE);
    this.pen = canvas.getContext("2d");
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.#lift());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) this.#place(); });
    canvas.addEventListener("blur", () => { this.#lift(); cell.hidden = true; });
  }

  /** Show these pixels, uint8 [784]. */
  show(values) {
    this.values = Uint8Array.from(values);
    this.#draw();
  }

  #draw() {
    const image = this.pen.createImageData(SIDE, SIDE);
    inGrey(this.values).forEach((colour, pixel) => image.data.set([...colour, 255], 4 * pixel));
    this.pen.putImageData(image, 0, 0);
  }

  #where({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const within = (share) => Math.min(Math.max(Math.floor(SIDE * share), 0), SIDE - 1);
    return [within((clientY - box.top) / box.height), within((clientX - box.left) / box.width)];
  }

  #press(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.at = this.#where(event);
    this.down = true;
    this.#paint([this.at]);
  }

  #move(event) {
    if (!event.isPrimary) return;
    const before = this.at;
    this.at = this.#where(event);
    this.#point();
    if (this.down && event.buttons) this.#paint(line(before, this.at));
  }

  #lift() {
    if (!this.down) return;
    this.down = false;
    this.cell.classList.remove("down");
    this.told.rested();
  }

  #paint(cells) {
    const all = cells.map(([row, column]) => row * SIDE + column);
    const places = all.filter((place) => this.values[place] !== this.level);
    if (!places.length) return;
    places.forEach((place) => { this.values[place] = this.level; });
    this.#draw();
    this.#point();
    this.told.changed();
  }

  #key(event) {
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (way) this.at = this.at.map((place, axis) => Math.min(Math.max(place + way[axis], 0), SIDE - 1));
    else if (event.key === " " && this.down) return void (event.preventDefault(), this.#lift());
    else if (event.key === " ") this.down = true;
    else return;
    event.preventDefault();
    this.#place();
    if (this.down) this.#paint([this.at]);
  }

  /** Show where the keyboard's pen is. */
  #place() {
    const [top, left] = this.at.map((place) => `${(100 * place) / SIDE}%`);
    Object.assign(this.cell.style, { top, left });
    this.cell.hidden = false;
    this.cell.classList.toggle("down", this.down);
    this.#point();
  }

  #point() {
    const [row, column] = this.at;
    this.told.pointed(this.at, this.values[row * SIDE + column]);
  }
}

/** The cells on the way from one to another. */
function line(from, to) {
  const steps = Math.max(1, ...from.map((place, axis) => Math.abs(to[axis] - place)));
  return Array.from({ length: steps }, (_, step) =>
    from.map((place, axis) => Math.round(place + ((to[axis] - place) * (step + 1)) / steps)));
}
