"""Draw what no data set has: data/processed/ to data/drawn/.

    python -m pipeline.draw

Digits in forms that MNIST's writers seldom used; what people draw beside digits; and digits of the training and
validation sets on sheets of paper, written along the same paths with any pen, as they would be sent.
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
from pipeline.data.drawn import Drawn, save
from pipeline.data.files import replacing
from pipeline.data.store import load_split
from pipeline.drawing.pictures import form, non_digit, on_paper
from pipeline.paths import DRAWN, PROCESSED
from pipeline.stage import stage

FORMS, NON_DIGITS = 1 / 9, 3 / 7
"""How many are drawn, as shares of the number of training images."""
SHEETS = {"train": 4000, "val": 2000}
"""At most, of each split's images."""
CHUNK = 250
"""Pictures drawn by one worker from one seed."""


@stage("draw")
def main() -> None:
    seed = params.load("data.split").seed
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    images = {split: load_split(PROCESSED, split)[0] for split in SHEETS}
    count = len(images["train"])
    forms = drawn("forms", [form] * int(FORMS * count), rng)
    non_digits = drawn("non-digits", [non_digit] * int(NON_DIGITS * count), rng)
    rows = {split: rng.permutation(len(images[split]))[:most].astype(np.int32) for split, most in SHEETS.items()}
    sheets = {
        split: drawn("sheets", [partial(on_paper, image) for image in images[split][rows[split]]], rng)
        for split in SHEETS
    }
    with replacing(DRAWN) as folder:
        save(
            folder,
            Drawn(
                forms=np.stack([image for image, _ in forms]),
                form_labels=np.array([digit for _, digit in forms], np.uint8),
                non_digits=np.stack(non_digits),
                sheets={split: np.stack(pictures) for split, pictures in sheets.items()},
                rows=rows,
            ),
        )
    text = f"Drew {len(forms):,} forms, {len(non_digits):,} non-digits and {sum(map(len, rows.values())):,} sheets"
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
