"""Lines to copy: how each path is asked from a shell, in Python and in JavaScript, with nothing to install.

Each works as it stands while the service runs at SERVICE; what it needs, it fetches from there first.
"""

from serving.contract import SIDE

SERVICE = "http://127.0.0.1:3000"
SAMPLES = "/page/samples"
SHELL, PYTHON, JAVASCRIPT = "Shell", "Python", "JavaScript"

_BAR = f"[[255 if x in (13, 14) and 4 <= y < 24 else 0 for x in range({SIDE})] for y in range({SIDE})]"
_IMAGE_FILE = f"""\
from json import load
from urllib.request import Request, urlopen, urlretrieve

urlretrieve("{SERVICE}{SAMPLES}/seven.png", "seven.png")
image = open("seven.png", "rb").read()
"""
_PICTURE = f"""\
const picture = await fetch("{SERVICE}{SAMPLES}/seven.png");
"""


def of(path: str) -> dict[str, str]:
    """For each language the lines that ask ``path``."""
    return _LINES.get(path) or _reading(path)


def _reading(path: str) -> dict[str, str]:
    return {
        SHELL: f"curl {SERVICE}{path}\n",
        PYTHON: f'from urllib.request import urlopen\n\nprint(urlopen("{SERVICE}{path}").read().decode())\n',
        JAVASCRIPT: f'const response = await fetch("{SERVICE}{path}");\nconsole.log(await response.text());\n',
    }


def _of_seven(path: str, told: str, python: str, javascript: str, kept: str = "") -> dict[str, str]:
    """The lines that send the sample of a seven to ``path`` and say something of what they are ``told``."""
    address = f"{SERVICE}{path}"
    quoted = f'"{address}"' if "?" in path else address
    return {
        SHELL: f"""\
curl -O {SERVICE}{SAMPLES}/seven.png
curl --data-binary @seven.png -H "Content-Type: image/png" {quoted}{kept}
""",
        PYTHON: f"""\
{_IMAGE_FILE}\
{told} = load(urlopen(Request("{address}", image, {{"Content-Type": "image/png"}})))
{python}
""",
        JAVASCRIPT: f"""\
{_PICTURE}\
const response = await fetch("{address}", {{ method: "POST", body: await picture.blob() }});
const {told} = await response.json();
{javascript}
""",
    }


_LINES = {
    "/predict": {
        SHELL: f"""\
curl -O {SERVICE}{SAMPLES}/seven.png
curl -F image=@seven.png {SERVICE}/predict

# or the file alone, as the body
curl --data-binary @seven.png -H "Content-Type: image/png" {SERVICE}/predict
""",
        PYTHON: f"""\
{_IMAGE_FILE}\
answer = load(urlopen(Request("{SERVICE}/predict", image, {{"Content-Type": "image/png"}})))
print(answer["digit"], answer["confidence"])
""",
        JAVASCRIPT: f"""\
{_PICTURE}\
const form = new FormData();
form.append("image", await picture.blob(), "seven.png");
const response = await fetch("{SERVICE}/predict", {{ method: "POST", body: form }});
const answer = await response.json();
console.log(answer.digit, answer.confidence);
""",
    },
    "/predict_pixels": {
        SHELL: f"""\
curl -O {SERVICE}{SAMPLES}/one.json
curl --data-binary @one.json -H "Content-Type: application/json" {SERVICE}/predict_pixels

# or many images as bytes, {SIDE * SIDE} each: here the ten digits
curl -O {SERVICE}{SAMPLES}/ten.bin
curl --data-binary @ten.bin -H "Content-Type: application/octet-stream" {SERVICE}/predict_pixels
""",
        PYTHON: f"""\
from json import dumps, load
from urllib.request import Request, urlopen

pixels = {_BAR}
body = dumps({{"pixels": pixels, "scale": "0-255"}}).encode()
answer = load(urlopen(Request("{SERVICE}/predict_pixels", body, {{"Content-Type": "application/json"}})))
print(answer["digit"], answer["confidence"])
""",
        JAVASCRIPT: f"""\
const columns = Array.from({{ length: {SIDE} }}, (_, x) => (x === 13 || x === 14 ? 255 : 0));
const pixels = Array.from({{ length: {SIDE} }}, (_, y) => (y >= 4 && y < 24 ? columns : columns.map(() => 0)));
const response = await fetch("{SERVICE}/predict_pixels", {{
  method: "POST",
  headers: {{ "Content-Type": "application/json" }},
  body: JSON.stringify({{ batch: [pixels, pixels], scale: "0-255" }}),
}});
const {{ predictions }} = await response.json();
console.log(predictions.map((answer) => answer.digit));
""",
    },
    "/predict_prepared": {
        SHELL: f"""\
curl -O {SERVICE}{SAMPLES}/ten.bin
curl --data-binary @ten.bin -H "Content-Type: application/octet-stream" {SERVICE}/predict_prepared
""",
        PYTHON: f"""\
from json import load
from urllib.request import Request, urlopen, urlretrieve

urlretrieve("{SERVICE}{SAMPLES}/ten.bin", "ten.bin")
images = open("ten.bin", "rb").read()
told = load(urlopen(Request("{SERVICE}/predict_prepared", images, {{"Content-Type": "application/octet-stream"}})))
print([answer["digit"] for answer in told["predictions"]])
""",
        JAVASCRIPT: f"""\
const ten = await fetch("{SERVICE}{SAMPLES}/ten.bin");
const response = await fetch("{SERVICE}/predict_prepared", {{
  method: "POST",
  headers: {{ "Content-Type": "application/octet-stream" }},
  body: await ten.arrayBuffer(),
}});
const {{ predictions }} = await response.json();
console.log(predictions.map((answer) => answer.digit));
""",
    },
    "/explain": _of_seven(
        "/explain",
        "told",
        'print(told["answer"]["digit"], "by way of", len(told["layers"]), "layers")',
        'console.log(told.answer.digit, "by way of", told.layers.length, "layers");',
        kept=" -o explained.json",
    ),
    "/unit": _of_seven(
        "/unit?layer=1&unit=3",
        "unit",
        'print(unit["bias"], "+", unit["total"] - unit["bias"], "gives", unit["output"])',
        'console.log(unit.bias, "+", unit.total - unit.bias, "gives", unit.output);',
    ),
    "/without": _of_seven(
        "/without?off=0.3,1.5",
        "told",
        'print(told["whole"]["digit"], "becomes", told["without"]["digit"])',
        'console.log(told.whole.digit, "becomes", told.without.digit);',
    ),
    "/compare": _of_seven(
        "/compare",
        "told",
        'print({one["network"]["name"]: one["answer"]["digit"] for one in told["readers"]})',
        "for (const { network, answer } of told.readers) console.log(network.name, answer.digit);",
        kept=" -o compared.json",
    ),
}
