"""Train a network anew without each fold of the writers and let it read them: reports/cross_validation/NETWORK.parquet.

    python -m pipeline.cross_validate convnet

Every image of training and validation is so read by a network that saw nothing of its writer. What is served is none of
these networks: they show what its recipe makes of strangers' hands, on six times as many images as the test set has.
The audit tells it. There are as many folds as `audit.folds` says; with 0, or where nobody knows who wrote the digits,
the file has no rows. One that was killed goes on when the same command is run again.
"""

import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data import split
from pipeline.data.store import load_split
from pipeline.stage import stage
from pipeline.tracking.runkey import inputs

PROCESSED = Path("data/processed")
REPORTS = Path("reports/cross_validation")
RESUME = Path(".resume")
LEARNT = ("train", "val")
KEYS = ["split", "row", "fold", "label"]
ANSWERS = ["digit", "confidence", "abstained"]


@stage("cross_validate", network="a name under networks in params.yaml")
def main(network: str) -> None:
    shares, dials, calibration, config, count = params.load(
        "data.split", "train", "calibration", f"networks.{network}", f"audit.folds.{network}"
    )
    samples = pd.read_parquet(PROCESSED / "samples.parquet").query("split in @LEARNT").reset_index(drop=True)
    table = pd.DataFrame(columns=KEYS + ANSWERS)
    if not count:
        print(f"{network}: audit.folds.{network} is 0, so its recipe is not tried on folds of the writers.")
    elif samples["writer"].isna().all():
        print(f"{network}: nobody knows who wrote these digits, so there are no folds of writers to try its recipe on.")
    else:
        table = read(network, samples, count, shares, config, dials, calibration)
    REPORTS.mkdir(parents=True, exist_ok=True)
    table.to_parquet(REPORTS / f"{network}.parquet", index=False)


def read(
    network: str,
    samples: pd.DataFrame,
    count: int,
    shares: params.Split,
    config: params.Network,
    dials: params.Train,
    calibration: params.Calibration,
) -> pd.DataFrame:
    """Train on all folds but one, for each of ``count``, and return ``samples``' rows with what was read there."""
    from pipeline.models import folds  # its torch takes seconds: only where there is something to train

    started = time.perf_counter()
    images, labels = (
        np.concatenate(parts) for parts in zip(*(load_split(PROCESSED, name) for name in LEARNT), strict=True)
    )
    dealt = folds.deal(samples["writer"], samples["population"], count, shares.seed)
    held = {f"{network}, fold {fold + 1} of {count}": np.flatnonzero(dealt == fold) for fold in range(count)}
    jobs = []
    for seed, (name, rows) in enumerate(held.items(), dials.seed):
        rest = np.setdiff1d(np.arange(len(samples)), rows)
        writers, populations = (samples[column].to_numpy()[rest] for column in ("writer", "population"))
        chosen = split.by_writer(writers, populations, shares.validation, shares.seed)
        train, val = ((images[part], labels[part]) for part in (rest[~chosen], rest[chosen]))
        jobs.append(folds.Fold(name, train, val, images[rows], seed))

    folder = RESUME / inputs(f"cross_validate@{network}").key
    parts = []
    for name, answers in folds.read(jobs, config, dials, calibration, folder):
        rows = held[name]
        parts.append(samples.loc[rows].assign(fold=dealt[rows])[KEYS].join(answers.set_index(rows)))
        wrong = (answers["digit"].to_numpy() != labels[rows]).sum()
        print(
            f"{name}: {wrong} of {len(rows):,} images misread, after {time.perf_counter() - started:.0f} s", flush=True
        )
    shutil.rmtree(folder)
    return pd.concat(parts).sort_index()


if __name__ == "__main__":
    main()
