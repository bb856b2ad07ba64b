"""The pictures in data/drawn/, as the stage draw wrote them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.errors import DataError


@dataclass(frozen=True)
class Drawn:
    """Pictures that no data set has.

    forms, form_labels: digits in forms that MNIST's writers seldom used, uint8 [N, 28, 28] and uint8 [N].
    non_digits: what people draw beside digits, uint8 [M, 28, 28].
    sheets, rows: digits of a split on sheets of paper, written along the same paths with any pen, uint8 [K, H, W], and
        the rows of the images that they show, int32 [K]; by split, "train" and "val".
    """

    forms: np.ndarray
    form_labels: np.ndarray
    non_digits: np.ndarray
    sheets: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]


def save(folder: Path, drawn: Drawn) -> None:
    """Write all of it to ``folder``, which exists."""
    for name, array in _arrays(drawn).items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load(folder: Path) -> Drawn:
    """Read what ``save`` wrote. Raises DataError where there is nothing."""
    if not (folder / "forms.npy").exists():
        raise DataError(f"{folder} holds no drawn pictures. Make them: python -m pipeline.draw")
    whole = {path.stem: np.load(path, allow_pickle=False) for path in folder.glob("*.npy")}
    by_split = {
        kind: {name.removesuffix(f"_{kind}"): array for name, array in whole.items() if name.endswith(f"_{kind}")}
        for kind in ("sheets", "rows")
    }
    return Drawn(whole["forms"], whole["form_labels"], whole["non_digits"], **by_split)


def _arrays(drawn: Drawn) -> dict[str, np.ndarray]:
    by_split = {
        f"{split}_{kind}": array for kind in ("sheets", "rows") for split, array in getattr(drawn, kind).items()
    }
    return {
        "forms": drawn.forms,
        "form_labels": drawn.form_labels,
        "non_digits": drawn.non_digits,
        **by_split,
    }
