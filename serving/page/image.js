// Images from elsewhere, on their way to the paper and to the service.

const LARGEST = 1600; // a photograph's longer side, as it is sent

/** What an image file looks like, null where this browser cannot tell, and the file to send: a large one made smaller. */
export async function load(file) {
  try {
    const picture = await createImageBitmap(file);
    const larger = Math.max(picture.width, picture.height) > LARGEST;
    return { picture, file: larger ? shrunk(picture) : file };
  } catch {
    return { picture: null, file }; // a kind of image that the service may read though this browser cannot
  }
}

/** The pen of an empty white sheet. */
export function blank(width, height) {
  const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
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
