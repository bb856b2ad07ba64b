"""The stage show: make what the page's views load, from the champion, the candidates and the data.

    python -m pipeline.show

Writes show/, which the stage package puts into the Bento; the page finds a file of it as page/show/FILE. Writes
reports/dreams.png too, the same dreams and fools as one figure.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.data.files import replacing
from pipeline.data.store import load_split
from pipeline.models.networks import kinds
from pipeline.paths import BEST, CANDIDATES, DREAMS, PROCESSED, SHOW
from pipeline.showcase import compare, dream_figure, dreams, held_out, sheet
from pipeline.stage import stage
from serving.model.recogniser import Recogniser


def made() -> Iterator[tuple[str, bytes]]:
    """Each file's name and content."""
    names = params.load("candidates")
    train, val, test = (load_split(PROCESSED, part) for part in ("train", "val", "test"))
    yield from held_out.make(*test).items()
    yield from sheet.make(train, val).items()
    run, champion = trained(BEST)
    served = run["network"]
    networks = {name: trained(CANDIDATES / name)[1] for name in names} | {served: champion}
    yield from compare.make(networks, served, train, val, test).items()
    yield from dreams.make(champion.model, run, Recogniser(BEST / "model.onnx"), *train).items()


def trained(folder: Path) -> tuple[dict[str, Any], compare.Trained]:
    """What run.json says of the network in a folder of the pipeline's, and its model."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    kind = kinds()[run["inputs"]["params"][f"networks.{run['network']}.kind"]]
    return run, compare.Trained((folder / "model.onnx").read_bytes(), kind.title)


@stage("show")
def main() -> None:
    size = 0
    with replacing(SHOW) as folder:
        for name, content in made():
            (folder / name).write_bytes(content)
            size += len(content)
            print(f"{SHOW / name}: {len(content):,} bytes", flush=True)
    print(f"The page's views load {size:,} bytes in all.")
    DREAMS.parent.mkdir(exist_ok=True)
    DREAMS.write_bytes(dream_figure.figure({file.name: file.read_bytes() for file in SHOW.glob("dreams*")}))

    from pipeline.tracking.runs import publish_show  # MLflow takes seconds

    publish_show()


if __name__ == "__main__":
    main()
