"""Pictures as a client sends them."""

import io

import numpy as np
from PIL import Image


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture, uint8 [H, W], at another size: uint8 [side, side]."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def encode(picture: np.ndarray, kind: str = "PNG") -> bytes:
    """The file of a picture, uint8 [H, W] or [H, W, 3], in a format of Pillow's."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()
