"""Does the Bento read MNIST's test images over HTTP as its network does offline, and on a larger canvas too?

    python -m benchmarks.fidelity [--images 10000] [--bento FOLDER]

Each image is a PNG of its own: as it is, and drawn at any size and place on a canvas of 40 to 280 pixels,
in white on black and in black on white. Ends with status 1 where a bar is missed. All 10,000 take about two minutes.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks import mnist
from benchmarks.bars import Bar, hold
from benchmarks.pictures import encode
from benchmarks.serving import champion
from pipeline import serve
from pipeline.audits.inputs import canvas
from serving.client import Client
from serving.model.recogniser import Recogniser

ON_CANVAS = 0.99
SEED = 0


def ask(url: str, pictures: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """For pictures, uint8 [H, W] each, the digits answered, int [N] with -1 where it abstained, and the most probable
    ones, int [N]."""
    with Client(url) as inkwell:
        answers = [inkwell.predict(encode(picture)) for picture in pictures]
    digits = [-1 if answer["abstained"] else answer["digit"] for answer in answers]
    return np.array(digits), np.array([np.argmax(answer["probabilities"]) for answer in answers])


def unlike_offline(url: str, recogniser: Recogniser, images: np.ndarray) -> int:
    """How many images, uint8 [N, 28, 28], get another digit over HTTP than offline, answered or most probable."""
    digits, likeliest = ask(url, track(images, "As they are", transient=True))
    offline = recogniser.predict(images.astype(np.float32))
    same = (digits == np.where(offline.abstained, -1, offline.digit)) & (likeliest == offline.digit)
    return int((~same).sum())


def on_canvases(images: np.ndarray) -> Iterator[np.ndarray]:
    """Each of the images, uint8 [N, 28, 28], on a canvas of its own: uint8 [S, S], every second one's paper white."""
    rng = np.random.default_rng(SEED)
    for number, side in enumerate(rng.choice(canvas.SIDES, len(images))):
        [picture] = canvas.place(images[number : number + 1], canvas.layout(1, int(side), rng))
        yield 255 - picture if number % 2 else picture


def right_on_canvases(url: str, images: np.ndarray, labels: np.ndarray) -> float:
    """The share of images, uint8 [N, 28, 28], whose most probable digit on a canvas is the label, uint8 [N]."""
    _, likeliest = ask(url, track(on_canvases(images), "On canvases", len(images), transient=True))
    return float((likeliest == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fidelity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000, help="how many, the first ones of the test set")
    parser.add_argument("--bento", type=Path, help="the Bento's folder; without it the champion's")
    options = parser.parse_args()
    images, labels = (array[: options.images] for array in mnist.load("test"))
    bento = options.bento or champion("mnist")
    recogniser = Recogniser(bento / "src" / "model.onnx")
    with serve.running(bento) as url:
        unlike = unlike_offline(url, recogniser, images)
        right = right_on_canvases(url, images, labels)
    held = hold(
        f"{len(images):,} test images, asked of {recogniser.name} over HTTP",
        [
            Bar("as they are: another digit than offline", unlike, most=0),
            Bar("on canvases of up to 280x280: share right", right, least=ON_CANVAS),
        ],
    )
    sys.exit(not held)


if __name__ == "__main__":
    main()
