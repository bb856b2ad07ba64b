"""Many small pictures as one PNG, row by row."""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLUMNS = 32


def sheet(pictures: NDArray[np.uint8]) -> bytes:
    """The PNG of pictures, uint8 [N, H, W], `COLUMNS` beside each other; of four bits a pixel where no more is lost."""
    whole = tiled(pictures, COLUMNS)
    buffer = io.BytesIO()
    if (whole % 17).any():
        Image.fromarray(whole).save(buffer, "PNG", optimize=True)
    else:
        few = Image.fromarray(whole // 17, "P")
        few.putpalette([level for grey in range(0, 256, 17) for level in (grey,) * 3])
        few.save(buffer, "PNG", optimize=True, bits=4)
    return buffer.getvalue()


def tiled(pictures: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Pictures, uint8 [N, H, W], as one, row by row; what is left of the last row is 0."""
    count, height, width = pictures.shape
    rows = math.ceil(count / columns)
    whole = np.zeros((rows * columns, height, width), np.uint8)
    whole[:count] = pictures
    return whole.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)


def coarse(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures in the sixteen greys of four bits."""
    return np.rint(pictures / 17).astype(np.uint8) * np.uint8(17)
