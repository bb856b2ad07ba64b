"""Measure one exported network on validation and test: models/candidates/NETWORK/ to reports/evaluate/NETWORK/.

    python -m pipeline.evaluate convnet

Its answers on validation, by which `promote` chooses, go to reports/validation/NETWORK.parquet; their accuracy goes to
reports/accuracy/NETWORK.json, under the network's name: a column for each network in `dvc exp show`.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.audits import scores
from pipeline.data.store import load_split
from pipeline.paths import ACCURACY, CANDIDATES, EVALUATIONS, PROCESSED, TRAINED, VALIDATION
from pipeline.report.figures import plots
from pipeline.stage import stage
from pipeline.tracking.runs import publish_evaluation
from serving.model.recogniser import Predictions, Recogniser


@stage("evaluate", network="the name of a folder under models/candidates/")
def main(network: str) -> None:
    recogniser = Recogniser(CANDIDATES / network / "model.onnx")
    folder = EVALUATIONS / network
    places = {"val": VALIDATION / f"{network}.parquet", "test": folder / "test.parquet"}
    for place in (folder, VALIDATION, ACCURACY):
        place.mkdir(parents=True, exist_ok=True)
    for split, file in (("val", "validation.json"), ("test", "test.json")):
        images, labels = load_split(PROCESSED, split)
        predictions = recogniser.predict(images.astype(np.float32))
        summary = scores.summarise(predictions.probabilities, labels)
        table(predictions, labels).to_parquet(places[split], index=False, compression="zstd", use_dictionary=False)
        (folder / file).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        if split == "val":
            shown = json.dumps({network: summary["accuracy"]}) + "\n"
            (ACCURACY / f"{network}.json").write_text(shown, encoding="utf-8")
        print(
            f"{network}, {split}: {summary['errors']} errors in {summary['images']}, {summary['accuracy']:.2%}",
            flush=True,
        )
    draw(folder, network, images, labels, predictions)
    publish_evaluation(network)


def table(predictions: Predictions, labels: np.ndarray) -> pd.DataFrame:
    """A row for each image: its row in the split, label, answer, confidence and the ten probabilities."""
    columns = {"row": np.arange(len(labels)), "label": labels, "digit": predictions.digit}
    digits = {f"p{digit}": predictions.probabilities[:, digit] for digit in range(10)}
    return pd.DataFrame({**columns, "confidence": predictions.confidence, **digits})


def draw(folder: Path, name: str, images: np.ndarray, labels: np.ndarray, predictions: Predictions) -> None:
    """Write the tables and pictures of the test set's answers, and the training curve."""
    answers, wrong = predictions.digit, predictions.digit != labels
    bins = scores.reliability(predictions.probabilities, labels)
    bins.to_csv(folder / "reliability.csv", index=False, lineterminator="\n")
    pairs = pd.DataFrame({"label": labels, "answer": answers})
    pairs.to_csv(folder / "confusion.csv", index=False, lineterminator="\n")

    epochs = pd.read_csv(TRAINED / name / "curve.csv")
    figures = {
        "confusion": plots.confusion(scores.confusion(answers, labels), f"{name}: test set, errors shaded"),
        "reliability": plots.reliability(bins, f"{name}: test set"),
        "curve": plots.curve(epochs, name),
        "misclassified": plots.misclassified(
            images[wrong], labels[wrong], answers[wrong], predictions.confidence[wrong]
        ),
    }
    for title, figure in figures.items():
        figure.savefig(folder / f"{title}.png")


if __name__ == "__main__":
    main()
