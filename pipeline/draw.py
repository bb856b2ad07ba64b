"""Draw what the training images lack: data/processed/ to data/drawn/.

    python -m pipeline.draw

For training, images by MNIST's convention: digits of the training set written again with other pens, forms that its
writers seldom used, and what is no digit. For calibration, digits of the validation set on sheets of paper, as they
would be sent.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from rich.progress import track

from pipeline import params
from pipeline.data.files import replacing
from pipeline.data.store import load_split
from pipeline.drawing.pictures import form, non_digit, on_paper, redrawn
from pipeline.paths import DRAWN, PROCESSED
from pipeline.stage import stage

REDRAWN, FORMS, NON_DIGITS = 1 / 3, 1 / 9, 1 / 7
"""How many are drawn for training, as shares of the number of training images."""
ON_PAPER = 2000
"""Sheets at most."""
CHUNK = 250
"""Pictures drawn by one worker from one seed."""


@stage("draw")
def main() -> None:
    seed = params.load("data.split").seed
    started = time.perf_counter()
    (images, labels), (val_images, _) = (load_split(PROCESSED, split) for split in ("train", "val"))
    rng = np.random.default_rng(seed)
    rows, sheets = (rng.permutation(length) for length in (len(images), len(val_images)))
    rows, sheets = rows[: int(REDRAWN * len(images))], sheets[:ON_PAPER]
    again = drawn("digits", [partial(redrawn, image) for image in images[rows]], rng)
    forms = drawn("forms", [form] * int(FORMS * len(images)), rng)
    non_digits = drawn("non-digits", [non_digit] * int(NON_DIGITS * len(images)), rng)
    papers = drawn("sheets", [partial(on_paper, image) for image in val_images[sheets]], rng)
    with replacing(DRAWN) as folder:
        train, val = folder / "train", folder / "val"
        arrays = {
            train / "digits.npy": np.stack([*again, *(image for image, _ in forms)]),
            train / "labels.npy": np.concatenate([labels[rows], np.array([digit for _, digit in forms], np.uint8)]),
            train / "origins.npy": np.concatenate([rows, np.full(len(forms), -1)]).astype(np.int32),
            train / "non_digits.npy": np.stack(non_digits),
            val / "sheets.npy": np.stack(papers),
            val / "origins.npy": sheets.astype(np.int32),
        }
        train.mkdir()
        val.mkdir()
        for path, array in arrays.items():
            np.save(path, array, allow_pickle=False)
    count = len(again) + len(forms)
    text = f"Drew {count:,} digits and {len(non_digits):,} non-digits to learn from, {len(papers):,} sheets"
    print(f"{text} in {time.perf_counter() - started:.0f} s, in {DRAWN}/", flush=True)


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
