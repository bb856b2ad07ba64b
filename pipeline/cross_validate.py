"""Train a network anew without each fold of the writers: data/processed/ to models/folds/NETWORK/.

    python -m pipeline.cross_validate convnet

What is served is none of these networks: `cross_predict` shows what they make of the writers that they never saw, on
six times as many images as the test set has. There are as many folds as `folds` says; without any, or where nobody
knows who wrote the digits, folds.parquet has no rows. One that was killed goes on when the same command is run again.
"""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.data import split
from pipeline.data.store import load_split
from pipeline.models.networks import Network
from pipeline.paths import FOLDS, PROCESSED, RESUME
from pipeline.stage import stage
from pipeline.tracking.runkey import inputs

LEARNT = ("train", "val")
COLUMNS = ["split", "row", "label", "writer", "population"]


@stage("cross_validate", network="a name under networks in params.yaml")
def main(network: str) -> None:
    shares, options, config, folds = params.load("data.split", "train", f"networks.{network}", "folds")
    count = folds.get(network, 0)
    samples = pd.read_parquet(PROCESSED / "samples.parquet", columns=COLUMNS, filters=[("split", "in", LEARNT)])
    folder = FOLDS / network
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if not count:
        print(f"{network}: params.yaml gives it no folds, so it is not cross-validated.")
    elif samples["writer"].isna().all():
        print(f"{network}: nobody knows who wrote these digits, so there are no folds of writers to cross-validate on.")
    else:
        table = train(folder, network, samples, count, shares, config, options)
        table.to_parquet(folder / "folds.parquet", index=False)
        return
    pd.DataFrame(columns=["split", "row", "label", "fold"]).to_parquet(folder / "folds.parquet", index=False)


def train(
    folder: Path,
    network: str,
    samples: pd.DataFrame,
    count: int,
    shares: params.Split,
    config: Network,
    options: params.Train,
) -> pd.DataFrame:
    """Train on all folds but one, for each of ``count``, and write the weights and the network's config to ``folder``.

    Returns:
        split, row and label of each of ``samples``, its ``fold``, and in the column val_K, bool, whether it was in the
        validation of the network that was trained without fold K.
    """
    from pipeline.models import folds  # its torch takes seconds: only where there is something to train

    started = time.perf_counter()
    images, labels = (
        np.concatenate(parts) for parts in zip(*(load_split(PROCESSED, name) for name in LEARNT), strict=True)
    )
    dealt = folds.deal(samples["writer"], samples["population"], count, shares.seed)
    table = samples[["split", "row", "label"]].assign(fold=dealt)
    jobs = []
    for fold in range(count):
        rest = np.flatnonzero(dealt != fold)
        writers, populations = (samples[column].to_numpy()[rest] for column in ("writer", "population"))
        chosen = split.by_writer(writers, populations, shares.validation, shares.seed)
        table[f"val_{fold}"] = np.isin(np.arange(len(samples)), rest[chosen])
        train, val = ((images[part], labels[part]) for part in (rest[~chosen], rest[chosen]))
        jobs.append(folds.Fold(f"{network}, fold {fold + 1} of {count}", train, val, options.seed + fold))

    resumed = RESUME / inputs(f"cross_validate@{network}").key
    places = {job.name: folder / f"fold-{fold}.safetensors" for fold, job in enumerate(jobs)}
    for name, weights in folds.train(jobs, config, options.trainer, resumed):
        shutil.copyfile(weights, places[name])
        print(f"{name}: trained, after {time.perf_counter() - started:.0f} s", flush=True)
    (folder / "config.json").write_text(json.dumps(config.model_dump(), indent=2) + "\n")
    shutil.rmtree(resumed)
    return table


if __name__ == "__main__":
    main()
