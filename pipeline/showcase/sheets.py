"""Many small pictures as one PNG, row by row."""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLUMNS = 32


def sheet(pictures: NDArray[np.uint8]) -> bytes:
    """The PNG of pictures, uint8 [N, H, W], `COLUMNS` beside each other; of four bits a pixel where no more is lost."""
    count, height, width = pictures.shape
    rows = math.ceil(count / COLUMNS)
    whole = np.zeros((rows * COLUMNS, height, width), np.uint8)
    whole[:count] = pictures
    tiled = whole.reshape(rows, COLUMNS, height, width).swapaxes(1, 2).reshape(rows * height, COLUMNS * width)
    buffer = io.BytesIO()
    if (tiled % 17).any():
        Image.fromarray(tiled).save(buffer, "PNG", optimize=True)
    else:
        few = Image.fromarray(tiled // 17, "P")
        few.putpalette([level for grey in range(0, 256, 17) for level in (grey,) * 3])
        few.save(buffer, "PNG", optimize=True, bits=4)
    return buffer.getvalue()


def coarse(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures in the sixteen greys of four bits."""
    return np.rint(pictures / 17).astype(np.uint8) * np.uint8(17)
