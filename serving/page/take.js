// What is on the paper to take away: as the file that is sent, and as a command that asks about it from a shell.

import { copyable } from "./copy.js";
import { $ } from "./dom.js";

const WRITTEN_OUT = 24_000; // bytes of a file that a command holds itself; a larger one lies beside it
const COLUMNS = 76;
const KEPT_FOR = 10_000; // milliseconds in which a browser begins a download
const HERE = new URL(".", location).href;

copyable($("lines"), $("command"));

/** Keep a file among the downloads. */
export function save(file) {
  const address = URL.createObjectURL(file);
  Object.assign(document.createElement("a"), { href: address, download: named(file) }).click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT_FOR);
}

/** Show the command that asks about a file, null where there is none. */
export async function showCommand(file) {
  $("lines").hidden = !file;
  $("nothing").hidden = Boolean(file);
  if (file) $("command").textContent = await command(file);
}

async function command(file) {
  const asked = `-H "Content-Type: ${file.type || "application/octet-stream"}" ${HERE}predict`;
  if (file.size > WRITTEN_OUT) {
    return `# This image is large: press Save, and ask where the file is.\ncurl --data-binary @${named(file)} ${asked}\n`;
  }
  const letters = btoa(String.fromCharCode(...new Uint8Array(await file.arrayBuffer())));
  const lines = letters.match(new RegExp(`.{1,${COLUMNS}}`, "g")).join("\n");
  return `base64 -d <<'END' | curl --data-binary @- ${asked}\n${lines}\nEND\n`;
}

const named = ({ type }) => `digit.${type.split("/")[1]?.replace(/\W.*/, "") || "image"}`;
