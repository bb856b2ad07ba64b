"""Dreams and fools as one figure, for MLflow and `dvc plots`, made from the files that the page loads."""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from serving.contract import CLASSES, SIDE

WIDE = 16
"""Units of a layer that are shown, the first."""
GAP = 2
"""Pixels between two pictures."""
Row = tuple[str, NDArray[np.uint8], list[str]]
"""What a row is, its pictures, uint8 [N, 28, 28], and a caption for each or none."""


def figure(files: Mapping[str, bytes]) -> bytes:
    """The PNG of what each class and the first units of each layer want to see, and of what fools the network."""
    told = json.loads(files["dreams.json"])
    rows = [*fools(told, tiles(files["dreams-fools.png"]))]
    rows += gallery(told, tiles(files["dreams-units.png"]), tiles(files["dreams-examples.png"]))
    captioned = sum(bool(captions) for _, _, captions in rows)
    whole = Figure(figsize=(14, 0.85 * len(rows) + 0.45 * captioned), layout="constrained")
    for axes, (title, pictures, captions) in zip(whole.subplots(len(rows), 1), rows, strict=True):
        strip = np.full((SIDE, WIDE * (SIDE + GAP)), 255, np.uint8)
        for place, picture in enumerate(pictures):
            strip[:, place * (SIDE + GAP) :][:, :SIDE] = picture
        axes.imshow(strip, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_frame_on(False)
        axes.set_yticks([SIDE / 2], [title], fontsize=8)
        middles = SIDE / 2 + (SIDE + GAP) * np.arange(len(captions))
        axes.set_xticks(middles, captions, fontsize=6)
        axes.tick_params(length=0)
    whole.suptitle(f"What {told['name']} {told['version']} takes for digits, and what its units want to see")
    buffer = io.BytesIO()
    whole.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def fools(told: Mapping[str, Any], pictures: NDArray[np.uint8]) -> Iterator[Row]:
    near = CLASSES * np.arange(CLASSES) + told["nearest"]
    rest = pictures[CLASSES**2 :]
    yield "drawn", pictures[: CLASSES**2 : CLASSES + 1], []
    yield "smallest change to another digit", pictures[near], [said(told["near"][place]) for place in near]
    yield "led on until the network is sure", rest[:CLASSES], [said(one) for one in told["sure"]]
    yield "noise, changed a little", rest[CLASSES : 2 * CLASSES], [said(one) for one in told["noise"]]


def gallery(told: Mapping[str, Any], units: NDArray[np.uint8], examples: NDArray[np.uint8]) -> Iterator[Row]:
    for number, layer in reversed(list(enumerate(told["layers"], 1))):
        shown = min(len(layer["own"]), WIDE)
        yield f"layer {number}, {layer['units']} units", units[layer["first"] :][:shown], []
        yield "digits that excite each most", examples[[most for most, *_ in layer["examples"][:shown]]], []


def said(one: Mapping[str, Any]) -> str:
    """What network and service answer to a picture."""
    network, service = one["network"], one["service"]
    digit = "abstains:\n" + service["reason"] if service["digit"] is None else f"answers {service['digit']}"
    return f"network: {network['digit']}, {100 * network['confidence']:.0f} %\nservice {digit}"


def tiles(png: bytes) -> NDArray[np.uint8]:
    """The pictures of a sheet, uint8 [N, 28, 28]."""
    sheet = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
    rows, columns = (length // SIDE for length in sheet.shape)
    return sheet.reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)
