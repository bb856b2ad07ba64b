"""Let each network that was trained without a fold of the writers predict it: reports/out_of_fold/NETWORK.parquet.

    python -m pipeline.cross_predict convnet

Every image of training and validation is so predicted by a network that saw nothing of its writer, exported as it would
be served. The file has no rows where `cross_validate` trained nothing.
"""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data.drawn import load
from pipeline.data.store import load_split
from pipeline.paths import DRAWN, FOLDS, OUT_OF_FOLD, PROCESSED
from pipeline.stage import stage

KEYS = ["split", "row", "fold", "label"]
ANSWERS = ["digit", "confidence", "abstained", *(f"p{digit}" for digit in range(10))]


@stage("cross_predict", network="the name of a folder under models/folds/")
def main(network: str) -> None:
    calibration, refits = params.load("calibration", "refit")
    dealt = pd.read_parquet(FOLDS / network / "folds.parquet")
    if dealt.empty:
        print(f"{network}: it was not cross-validated, so there is nothing to predict.")
        table = pd.DataFrame(columns=KEYS + ANSWERS)
    else:
        table = predict(network, dealt, refits.get(network), calibration)
    OUT_OF_FOLD.mkdir(parents=True, exist_ok=True)
    table.to_parquet(OUT_OF_FOLD / f"{network}.parquet", index=False)


def predict(
    network: str, dealt: pd.DataFrame, last_layer: params.Refit | None, calibration: params.Calibration
) -> pd.DataFrame:
    """Export the network of each fold of ``dealt``, folds.parquet, and return its rows with what was predicted there.

    That is the most probable ``digit``, int64, its ``confidence``, float32, whether the network ``abstained``, by
    thresholds of its own, and the ten probabilities.
    """
    import torch  # it takes seconds: only where there is something to predict

    from pipeline.artifact.export import Known, export, prepared
    from pipeline.models.load import with_weights
    from pipeline.models.networks import parse
    from serving.model.recogniser import Recogniser

    torch.set_num_threads(1)  # as many cores as there are would round otherwise
    started = time.perf_counter()
    folder = FOLDS / network
    config = parse(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    splits = (load_split(PROCESSED, name) for name in dealt["split"].unique())
    images, labels = (np.concatenate(parts) for parts in zip(*splits, strict=True))
    drawn = load(DRAWN)
    sent = np.concatenate([prepared(sheets) for sheets in drawn.sheets.values()])
    shown = np.concatenate([places(dealt, split)[drawn.rows[split]] for split in drawn.sheets])
    parts = []
    for fold in range(dealt["fold"].max() + 1):
        held, val = (dealt["fold"] == fold).to_numpy(), dealt[f"val_{fold}"].to_numpy()
        train, chosen = ((images[rows], labels[rows]) for rows in (~held & ~val, val))
        learnt = (~held & ~val)[shown]
        again = (sent[learnt], labels[shown[learnt]])
        known = Known(train, again, chosen, sent[val[shown]], (drawn.forms, drawn.form_labels), drawn.non_digits)
        identity = {"name": network, "source": "folds", "run_key": str(fold)}
        trained = with_weights(config, folder / f"fold-{fold}.safetensors")
        with TemporaryDirectory() as place:
            model = Path(place) / "model.onnx"
            model.write_bytes(export(trained, known, last_layer, calibration, identity))
            recogniser = Recogniser(model)
        said = recogniser.predict(images[held].astype(np.float32))
        answers = pd.DataFrame(
            {"digit": said.digit, "confidence": said.confidence, "abstained": said.abstained}
            | {f"p{digit}": said.probabilities[:, digit] for digit in range(10)},
            index=dealt.index[held],
        )
        parts.append(dealt.loc[held, KEYS].join(answers))
        wrong = (said.digit != labels[held]).sum()
        text = f"{network}, fold {fold + 1}: {wrong} of {held.sum():,} images misclassified"
        print(f"{text}, after {time.perf_counter() - started:.0f} s", flush=True)
    return pd.concat(parts).sort_index()


def places(dealt: pd.DataFrame, split: str) -> np.ndarray:
    """Where ``dealt`` has the image of each row of a split: int [rows of the split]."""
    of_split = np.flatnonzero(dealt["split"] == split)
    return of_split[np.argsort(dealt["row"].to_numpy()[of_split])]


if __name__ == "__main__":
    main()
