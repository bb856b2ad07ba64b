"""Make of a trained network what is served: models/trained/NETWORK/ to models/candidates/NETWORK/.

    python -m pipeline.export convnet

Writes model.onnx, calibrated and in integers; export.json, what this export read; and run.json, what the training read.
"""

import json
import shutil
import time

from pipeline import params
from pipeline.artifact.export import Known, export, prepared
from pipeline.data.drawn import load
from pipeline.data.store import load_split
from pipeline.models.load import load_network
from pipeline.paths import CANDIDATES, DRAWN, PROCESSED, TRAINED
from pipeline.stage import stage
from pipeline.tracking.runkey import inputs
from pipeline.tracking.runs import publish_export


@stage("export", network="the name of a folder under models/trained/")
def main(network: str) -> None:
    calibration, refits = params.load("calibration", "refit")
    trained, folder = TRAINED / network, CANDIDATES / network

    started = time.perf_counter()
    run = json.loads((trained / "run.json").read_text(encoding="utf-8"))
    identity = {"name": run["network"], "source": run["source"], "run_key": run["run_key"]}
    train, drawn = load_split(PROCESSED, "train"), load(DRAWN)
    known = Known(
        train=train,
        train_sent=(prepared(drawn.sheets["train"]), train[1][drawn.rows["train"]]),
        val=load_split(PROCESSED, "val"),
        val_sent=prepared(drawn.sheets["val"]),
        forms=(drawn.forms, drawn.form_labels),
        non_digits=drawn.non_digits,
    )
    model = export(load_network(trained), known, refits.get(network), calibration, identity)
    read = inputs(f"export@{network}")
    record = {**read.record(network, run["source"]), "run_key": run["run_key"], "export_key": read.key}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    shutil.copyfile(trained / "run.json", folder / "run.json")
    (folder / "export.json").write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    publish_export(network)
    print(f"{network}: exported in {time.perf_counter() - started:.0f} s, written to {folder}/", flush=True)


if __name__ == "__main__":
    main()
