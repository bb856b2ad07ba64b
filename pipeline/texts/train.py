"""Train a network of the texts: its images to texts/trained/NETWORK/, its weights and its curve.

python -m pipeline.texts.train linear
"""

import csv
import json
import tempfile
import time
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from pipeline.models.batches import Digits
from pipeline.models.fit import fit
from pipeline.stage import stage
from pipeline.texts import data, params
from pipeline.texts.gradients import Gradients
from pipeline.texts.paths import SECONDS, TRAINED


@stage("texts-train", network="a name under networks in texts/params.yaml")
def main(network: str) -> None:
    given = params.load()
    config = params.network(given, network)
    train, val = (data.load(config.data, part, given.split) for part in ("train", "val"))
    gradients = Gradients()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        digits = Digits(train, val, config, given.seed)
        fitted = fit(config, digits, given.trainer, given.seed, Path(folder), callbacks=[gradients])
    seconds = time.process_time() - started
    assert fitted is not None
    trained, curve = fitted
    write(TRAINED / network, trained, [row | sizes for row, sizes in zip(curve, gradients.rows, strict=True)])
    SECONDS.mkdir(parents=True, exist_ok=True)
    (SECONDS / f"{network}.json").write_text(json.dumps(round(seconds, 1)) + "\n", encoding="utf-8")
    print(f"{network}: trained in {seconds:.0f} CPU seconds, written to {TRAINED / network}/", flush=True)


def write(folder: Path, network: nn.Module, curve: list[dict[str, float]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), folder / "weights.safetensors")
    with (folder / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(curve[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(curve)


if __name__ == "__main__":
    main()
