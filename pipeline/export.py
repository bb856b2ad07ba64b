"""Make of a trained network what is served: models/trained/NETWORK/ to models/candidates/NETWORK/.

    python -m pipeline.export convnet

Writes model.onnx, calibrated and in integers; export.json, what this export read; and run.json, what the training read.
"""

import json
import shutil
import time

import numpy as np

from pipeline import params
from pipeline.artifact.export import Known, export, prepared
from pipeline.data.store import load_drawn, load_sheets, load_split
from pipeline.models.load import load_network
from pipeline.paths import CANDIDATES, DRAWN, NON_DIGITS, PROCESSED, SHEETS, TRAINED
from pipeline.stage import stage
from pipeline.tracking.runkey import inputs
from pipeline.tracking.runs import publish_export


@stage("export", network="the name of a folder under models/trained/")
def main(network: str) -> None:
    calibration = params.load("calibration")
    trained, folder = TRAINED / network, CANDIDATES / network

    started = time.perf_counter()
    run = json.loads((trained / "run.json").read_text())
    identity = {"name": run["network"], "source": run["source"], "run_key": run["run_key"]}
    train, drawn = load_split(PROCESSED, "train"), load_drawn(DRAWN)
    sheets, rows = load_sheets(SHEETS, "train")
    known = Known(
        train=train,
        drawn=(drawn.images, drawn.labels),
        train_sent=(prepared(sheets), train[1][rows]),
        val=load_split(PROCESSED, "val"),
        val_sent=prepared(load_sheets(SHEETS, "val")[0]),
        non_digits=np.load(NON_DIGITS),
    )
    model = export(load_network(trained), known, calibration, identity)
    read = inputs(f"export@{network}")
    record = {**read.record(network, run["source"]), "run_key": run["run_key"], "export_key": read.key}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    shutil.copyfile(trained / "run.json", folder / "run.json")
    (folder / "export.json").write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    publish_export(network)
    print(f"{network}: exported in {time.perf_counter() - started:.0f} s, written to {folder}/", flush=True)


if __name__ == "__main__":
    main()
