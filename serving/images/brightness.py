"""From colours and transparency to one brightness channel, in which the ink stands out from the paper.

What is chosen, a paper or a direction of colour, is chosen on a sample of the pixels and then applied to all.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops
from scipy import ndimage

from serving.model.recogniser import BLANK_CONTRAST

SAMPLE_SIDE = 128
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of ITU-R BT.601, which Pillow's grey is
SEEN = 1 / 3  # share of the colours' contrast from which grey's is preferred: it is what most pictures are about
COLOURFUL = 40.0  # contrast of colours below which they may be noise
ALIKE = 2 * BLANK_CONTRAST  # grey levels within which colours count as one
STRAY = 0.02  # share of the pixels that may be of another colour where all count as one
BORDERED = 0.5  # share of a picture's border that is visible where the visible is its paper
ENCLOSED = 0.1  # share of the ink that may lie on a sheet's outline, and of the outline that may be ink
COMPACT = 0.4  # 4 pi area / perimeter squared: a disc has 1, a square 0.8, strokes less than 0.3
INKED = 0.35  # share of a dark sheet that bright ink may cover


def to_grey(image: Image.Image) -> NDArray[np.float32]:
    """L, RGB or RGBA as brightness, float32 [height, width] in 0..255.

    Grey, unless it sees much less of what is there than colours do: then how far each colour lies from the paper's
    towards the ink's. What is transparent takes the colour of the paper (see `_on_paper`).
    """
    if image.mode == "RGBA":
        image = _on_paper(image)
    if image.mode == "RGB" and (direction := _direction(image)):
        weights, offset = direction
        grey = np.full((image.height, image.width), offset, np.float32)
        for channel, weight in zip(image.split(), weights, strict=True):
            grey += np.asarray(channel) * weight
        return np.clip(np.rint(grey, out=grey), 0, 255, out=grey)  # rounded, so that even paper is 0, not nearly 0
    return np.asarray(image.convert("L"), dtype=np.float32)


def _direction(image: Image.Image) -> tuple[NDArray[np.float32], float] | None:
    """The weights of R, G and B, float32 [3], and what is added to their sum, that make the paper 0 and the ink 255.

    None where grey does as well. The paper's colour is the border's median.
    """
    sample = _sample(image)
    red, green, blue = sample[..., 0], sample[..., 1], sample[..., 2]
    brightest, darkest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    if (brightest - darkest).max() < COLOURFUL / 2:
        return None
    border = np.concatenate([sample[0], sample[-1], sample[:, 0], sample[:, -1]])
    paper = _median(border)
    away = sample.reshape(-1, 3) - paper
    distance = np.abs(away).max(axis=1)
    contrast = _contrast(distance)
    if contrast < COLOURFUL or _contrast(np.abs(away @ LUMA)) >= SEEN * contrast:
        return None
    ink = np.average(away, axis=0, weights=np.square(distance))
    strongest = float((away @ ink).max())
    if strongest <= 0:
        return None
    weights = (ink * (255 / strongest)).astype(np.float32)
    return weights, -float(paper @ weights)


def _contrast(distance: NDArray[np.float32]) -> float:
    """How far ink lies from the paper, given how far each pixel does: their mean, weighted with their squares."""
    squares = np.square(distance)
    return float(squares @ distance) / max(float(squares.sum()), 1.0)


def _on_paper(image: Image.Image) -> Image.Image:
    """An RGBA picture on the paper that it was made for, RGB or L.

    A sheet that can be seen is the paper. Ink of one colour alone lies on the opposite of its brightness. All else
    lies on a white sheet, where what is white is no ink; there any colour is as dark as its darkest channel.
    """
    alpha = image.getchannel("A")
    least, most = alpha.getextrema()
    if least == 255:
        return image.convert("RGB")
    sample = _sample(image)
    visible = sample[..., 3] >= max(int(sample[..., 3].max()) / 2, 1)
    if not most or not visible.any():
        return Image.new("L", image.size)
    seen = sample[visible][:, :3].astype(np.float32)
    mean = seen.mean(axis=0)
    if (np.abs(seen - mean) >= ALIKE / 2).any(axis=1).mean() < STRAY:
        bright = float(mean @ LUMA) >= 128
        return _over(image.convert("L"), alpha, 0 if bright else 255)
    paper = _sheet(sample[..., :3].astype(np.float32), visible)
    if paper is not None:
        red, green, blue = (round(float(level)) for level in paper)
        return _over(image.convert("RGB"), alpha, (red, green, blue))
    red_channel, green_channel, blue_channel, _ = image.split()
    return _over(ImageChops.darker(ImageChops.darker(red_channel, green_channel), blue_channel), alpha, 255)


def _over(image: Image.Image, alpha: Image.Image, paper: int | tuple[int, int, int]) -> Image.Image:
    """A picture over even paper."""
    ground = Image.new(image.mode, image.size, paper)
    ground.paste(image, mask=alpha)
    return ground


def _sheet(colours: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    """The paper's colour, float32 [3], where the visible pixels hold a sheet, not ink alone.

    It covers the picture up to its border; or it encloses ink that is darker, as a sticker's rim does, or that is
    brighter, and is as compact as a card. colours: float32 [height, width, 3] in 0..255. visible: bool [height, width].
    """
    border = np.ones_like(visible)
    border[1:-1, 1:-1] = False
    if visible[border].mean() >= BORDERED:
        return _median(colours[visible & border])
    shape = ndimage.binary_fill_holes(visible)
    outline = shape & visible & ~ndimage.binary_erosion(shape)
    paper = _median(colours[outline])
    ink = visible & (np.abs(colours - paper).max(axis=2) >= ALIKE)
    if not ink.any() or (ink & outline).sum() > ENCLOSED * min(ink.sum(), outline.sum()):
        return None
    darker = float((colours[ink] @ LUMA < paper @ LUMA).mean())
    if darker > ENCLOSED:  # what is brighter besides is a hole, through which a white sheet shows
        return paper if darker >= 1 - ENCLOSED else None
    compactness = 4 * math.pi * shape.sum() / max(int(outline.sum()), 1) ** 2
    return paper if compactness >= COMPACT and ink.sum() <= INKED * visible.sum() else None


def _median(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """The middle of each channel of `colours`, float32 [N, 3]: float32 [3]."""
    return np.median(colours, axis=0).astype(np.float32)


def _sample(image: Image.Image) -> NDArray[np.uint8]:
    """Pixels of an image, as many along each axis as SAMPLE_SIDE allows: uint8 [height, width, channels]."""
    step = math.ceil(max(image.size) / SAMPLE_SIDE)
    size = (math.ceil(image.width / step), math.ceil(image.height / step))
    return np.asarray(image if step == 1 else image.resize(size, Image.Resampling.NEAREST))
