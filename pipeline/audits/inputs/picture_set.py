"""A set of pictures that a recogniser is asked about: how they are made, how they are sent, which of them are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from serving.model.recogniser import Predictions

Form = Literal["picture", "file", "json", "pixels"]
Encode = Callable[[np.ndarray, int], bytes]


@dataclass(frozen=True)
class PictureSet:
    """M pictures of one kind.

    name: its key in answers.parquet, "kind/name".
    rows: int [M], of the test images that they are made from; counted from 0 where they show none of them.
    make: gives the pictures, uint8 or float32 [M, H, W] in 0..255. Called once, in a worker of the audit.
    form: how they reach the recogniser: as a "picture", which is prepared as the service prepares pictures of any size;
        as an image "file" or as "json", each encoded by ``encode`` from a picture and its place; or as the 28x28
        "pixels" of the network, past all preparation.
    keep: from the answers to the places, int, of the pictures that the report will show.
    """

    name: str
    rows: np.ndarray
    make: Callable[[], np.ndarray]
    form: Form = "picture"
    encode: Encode | None = None
    keep: Callable[[Predictions], np.ndarray] | None = None
