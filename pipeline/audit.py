"""Hold one exported network against its gates, on the test set: models/NETWORK/ to reports/audit/NETWORK/audit.json.

    python -m pipeline.audit convnet

A gate that is not passed does not stop the pipeline: it stops the network from becoming champion.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import params
from pipeline.audits import accuracy, population
from pipeline.data.store import load_split
from pipeline.stage import stage
from pipeline.tracking.runs import publish_audit
from serving.recogniser import Recogniser

PROCESSED = Path("data/processed")
VERDICTS = {True: "passed", False: "FAILED", None: "not measurable"}


@stage("audit")
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", help="the name of a folder under models/, with gates of its own in params.yaml")
    name = parser.parse_args(argv).network
    source, seed, draws, gates = params.load("data.source", "audit.seed", "audit.bootstrap", "audit.gates")
    limits = gates[source][name]

    images, labels = load_split(PROCESSED, "test")
    samples = pd.read_parquet(PROCESSED / "samples.parquet").query("split == 'test'").sort_values("row")
    wrong = Recogniser(Path("models") / name / "model.onnx").predict(images.astype(np.float32)).digit != labels
    findings = [
        accuracy.error(wrong, limits.error),
        accuracy.digit_recall(labels, wrong, limits.digit_recall),
        population.population_gap(samples, wrong, draws, seed, limits.population_gap),
    ]

    folder = Path("reports/audit") / name
    folder.mkdir(parents=True, exist_ok=True)
    report = {"network": name, "source": source, "gates": [gate.record() for gate in findings]}
    (folder / "audit.json").write_text(json.dumps(report, indent=2) + "\n")
    for gate in findings:
        print(
            f"{name}, {gate.name}: {VERDICTS[gate.passed]} ({gate.limit} {gate.threshold}). {gate.sentence}", flush=True
        )
    publish_audit(name)


if __name__ == "__main__":
    main()
