"""What is shown in MLflow of a run: hyperparameters that can be compared between networks, and data sets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

SPLITS = {"train": "training", "val": "validation", "test": "testing"}


def hyperparameters(params: Mapping[str, Any], network: str) -> dict[str, Any]:
    """Parameters under names that are the same for all networks: `epochs`, not `networks.NAME.epochs`.

    What a section says of other networks is left out.
    """
    named = {}
    for name, value in params.items():
        section, _, rest = name.partition(".")
        if section not in ("networks", "refit"):
            named[name] = value
        elif rest.startswith(f"{network}."):
            own = rest.removeprefix(f"{network}.")
            named[own if section == "networks" else f"{section}.{own}"] = value
    return named


def datasets(source: str, hashes: Mapping[str, str]) -> "list[DatasetInput]":
    """Those of some folders, with their hashes, that are splits of a data source."""
    return [dataset(source, Path(path), sha) for path, sha in hashes.items() if Path(path).name in SPLITS]


def dataset(source: str, folder: Path, sha: str) -> "DatasetInput":
    """A split as a data set of MLflow, named by source and split; with schema and profile where it is at hand."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.numpy_dataset import NumpyDataset
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name, digest, where = f"{source}-{folder.name}", sha[:32], json.dumps({"uri": folder.as_posix()})
    images, labels = (folder / f"{part}.npy" for part in ("images", "labels"))
    if images.exists() and labels.exists():
        digits = np.load(labels)
        pixels = np.load(images, mmap_mode="r")
        known = NumpyDataset(pixels, CodeDatasetSource({}), digits, name, digest).to_dict()
        counts = {f"of digit {digit}": int(count) for digit, count in enumerate(np.bincount(digits, minlength=10))}
        profile = json.dumps({"num_rows": len(digits)} | counts | json.loads(known["profile"]))
        found = Dataset(name, digest, "local", where, known["schema"], profile)
    else:
        found = Dataset(name, digest, "local", where)
    return DatasetInput(found, [InputTag("mlflow.data.context", SPLITS[folder.name])])
