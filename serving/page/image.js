// Images from elsewhere, on their way to the paper and to the service.

const LARGEST = 1600; // a photograph's longer side, as it is sent
const RIM = 16; // pixels a side of a copy whose outermost tell the ground
const DARK = 110; // of 255

/** What an image file looks like, the file to send, a large one made smaller, and the colour of its ground if that is
 *  dark. Where this browser cannot show it `developed(file)` may, as the service reads more kinds; it may raise. */
export async function load(file, developed) {
  let picture, sent = file;
  try {
    picture = await createImageBitmap(file);
    if (Math.max(picture.width, picture.height) > LARGEST) sent = shrunk(picture);
  } catch {
    picture = await developed(file);
  }
  return { picture, file: sent, ground: darkGround(picture) };
}

/** The colour of a picture's rim, null where that is bright. */
function darkGround(picture) {
  const pen = blank(RIM, RIM);
  pen.drawImage(picture, 0, 0, RIM, RIM);
  const { data } = pen.getImageData(0, 0, RIM, RIM);
  const rim = [...Array(RIM * RIM).keys()].filter((pixel) =>
    [0, RIM - 1].includes(pixel % RIM) || [0, RIM - 1].includes(Math.floor(pixel / RIM)));
  const colour = [0, 1, 2].map((channel) => rim.reduce((sum, pixel) => sum + data[4 * pixel + channel], 0) / rim.length);
  return Math.max(...colour) < DARK ? `rgb(${colour.map(Math.round).join(" ")})` : null;
}

/** The pen of an empty transparent sheet. */
export function transparent(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
}

/** The pen of an empty white sheet. */
export function blank(width, height) {
  const pen = transparent(width, height);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width, height);
  return pen;
}

/** Draw `picture` as large as it fits. */
export function fit(pen, picture, width, height) {
  const scale = Math.min(width / picture.width, height / picture.height);
  const [wide, high] = [picture.width * scale, picture.height * scale];
  pen.imageSmoothingEnabled = scale < 4;
  pen.drawImage(picture, (width - wide) / 2, (height - high) / 2, wide, high);
}

/** A canvas as an image file, made at once: toBlob would wait until the browser is idle, up to a second while one draws. */
export function encoded(canvas, type, quality) {
  const letters = atob(canvas.toDataURL(type, quality).split(",")[1]);
  return new Blob([Uint8Array.from(letters, (letter) => letter.charCodeAt(0))], { type });
}

function shrunk(picture) {
  const scale = LARGEST / Math.max(picture.width, picture.height);
  const copy = blank(Math.round(picture.width * scale), Math.round(picture.height * scale));
  copy.drawImage(picture, 0, 0, copy.canvas.width, copy.canvas.height);
  return encoded(copy.canvas, "image/jpeg", 0.92);
}
