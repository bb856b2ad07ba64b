"""Draw what the training images lack: data/processed/ to data/drawn/.

    python -m pipeline.draw

For training, images by MNIST's convention: digits in forms that its writers seldom used, and what is no digit. For
calibration, digits of the training and validation sets on sheets of paper, written along the same paths with any pen.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from pipeline import params, paths
from pipeline.data.files import replacing
from pipeline.data.store import load_split
from pipeline.drawing.pictures import form, non_digit, on_paper, written_again
from pipeline.paths import DRAWN, PROCESSED
from pipeline.stage import stage

FORMS, AGAIN, NON_DIGITS = 1 / 9, 1 / 9, 1 / 7
"""How many forms and digits written again are drawn to learn from, and non-digits, as shares of the training images."""
SHEETS = {"train": 4000, "val": 2000}
"""At most, of each split's images."""
CHUNK = 250
"""Pictures drawn by one worker from one seed."""


@stage("draw")
def main() -> None:
    seed = params.load("data.split").seed
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    train = load_split(PROCESSED, "train")
    count = len(train[1])
    forms = drawn("forms", [form] * int(FORMS * count), rng)
    rows = rng.permutation(count)[: int(AGAIN * count)]
    again = drawn("digits again", [partial(written_again, image) for image in train[0][rows]], rng)
    save(
        DRAWN,
        images=np.stack([*(image for image, _ in forms), *again]),
        labels=np.concatenate([np.array([digit for _, digit in forms], np.uint8), train[1][rows]]),
        rows=np.concatenate([np.full(len(forms), -1), rows]).astype(np.int32),
    )
    non_digits = drawn("non-digits", [non_digit] * int(NON_DIGITS * count), rng)
    save(paths.NON_DIGITS.parent, images=np.stack(non_digits))
    sheets = {}
    for split, most in SHEETS.items():
        images, _ = load_split(PROCESSED, split)
        rows = rng.permutation(len(images))[:most]
        sheets[f"{split}_sheets"] = np.stack(drawn("sheets", [partial(on_paper, image) for image in images[rows]], rng))
        sheets[f"{split}_rows"] = rows.astype(np.int32)
    save(paths.SHEETS, **sheets)
    text = f"Drew {len(forms) + len(again):,} digits to learn from, {len(non_digits):,} non-digits, and digits on paper"
    print(f"{text}, in {time.perf_counter() - started:.0f} s: {DRAWN.parent}/", flush=True)


def save(folder: Path, **arrays: np.ndarray) -> None:
    with replacing(folder) as new:
        for name, array in arrays.items():
            np.save(new / f"{name}.npy", array, allow_pickle=False)


def drawn(what: str, draws: Sequence[Callable[[np.random.Generator], Any]], rng: np.random.Generator) -> list[Any]:
    """What each of ``draws`` gives, in their order: as many workers as there are cores change nothing about it."""
    chunks = [draws[start : start + CHUNK] for start in range(0, len(draws), CHUNK)]
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        done = track(pool.map(drawn_chunk, chunks, rng.spawn(len(chunks))), f"drawing {what}", len(chunks))
        return [picture for part in done for picture in part]


def drawn_chunk(draws: Sequence[Callable[[np.random.Generator], Any]], rng: np.random.Generator) -> list[Any]:
    return [draw(rng) for draw in draws]


if __name__ == "__main__":
    main()
