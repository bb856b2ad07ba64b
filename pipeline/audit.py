"""Ask one exported network about every picture of its audit: models/candidates/NETWORK/ to reports/answers/NETWORK/.

    python -m pipeline.audit convnet

Writes answers.parquet, a row for each picture; pictures.parquet, those that the report shows; and asked.json, who was
asked. What the answers are worth, `python -m pipeline.judge convnet` says.
"""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import pandas as pd
from rich import get_console
from rich.progress import Progress

from pipeline import params, paths
from pipeline.audits import results
from pipeline.audits.ask import Asker, InProcess, answered
from pipeline.audits.inputs.catalogue import picture_sets, with_gradients
from pipeline.audits.inputs.picture_set import PictureSet
from pipeline.audits.results import TEST, Answered, TestSet
from pipeline.data.files import replacing
from pipeline.data.store import load_split
from pipeline.stage import stage
from serving.model.recogniser import Recogniser

WORKERS = 2  # sets that are asked about side by side, a core each
inherited: list[Any] = []
"""In a worker, the asker and the sets that it has from the process that it was forked from: they cannot be sent."""


@stage("audit", network="a name among the candidates of params.yaml")
def main(network: str) -> None:
    source, seed, attacked = params.load("data.source", "audit.seed", "audit.attacked")
    recogniser = Recogniser(paths.CANDIDATES / network / "model.onnx")
    images, labels = load_split(paths.PROCESSED, "test")
    samples = pd.read_parquet(paths.SAMPLES).query("split == 'test'").sort_values("row", ignore_index=True)
    started = time.perf_counter()
    asker = InProcess(recogniser)
    test = asked(asker, images, labels, samples, seed)
    sets = [*picture_sets(test), *with_gradients(test, paths.TRAINED / network, recogniser, attacked.get(source, 0))]
    get_console().print(
        f"Asking {network} about {len(images):,} test images of {source} in {len(sets)} forms and more."
    )
    answers = {TEST: Answered(np.arange(len(labels)), test.predictions)} | ask_all(asker, sets)
    with replacing(paths.ANSWERS / network) as folder:
        results.save(folder, answers)
        (folder / "asked.json").write_text(json.dumps(facts(recogniser), indent=2) + "\n", encoding="utf-8")
    total = sum(len(one.rows) for one in answers.values())
    print(f"{network}: {total:,} answers in {time.perf_counter() - started:.0f} s, in {paths.ANSWERS / network}/")


def facts(recogniser: Recogniser) -> dict[str, Any]:
    """Who was asked, and by which thresholds it abstained."""
    return {
        "network": recogniser.name,
        "source": recogniser.source,
        "version": recogniser.version,
        "novelty_threshold": recogniser.novelty_threshold,
        "least_confidence": recogniser.least_confidence,
    }


def asked(asker: Asker, images: np.ndarray, labels: np.ndarray, samples: pd.DataFrame, seed: int) -> TestSet:
    """The test set with what the asked one says of its images, uint8 [N, 28, 28]; the rest is as in `TestSet`."""
    itself = PictureSet(TEST, np.arange(len(labels)), lambda: images, form="pixels")
    return TestSet(images, labels, samples, asker.ask(images, itself), seed)


def ask_all(asker: Asker, sets: Sequence[PictureSet]) -> dict[str, Answered]:
    """Ask about all sets, the last first since they take longest, side by side; by name, in their order.

    The workers are forked, since neither recogniser nor pictures can be sent to them: before torch has threads.
    """
    pool = ProcessPoolExecutor(WORKERS, get_context("fork"), initializer=partial(inherit, asker, sets))
    with pool, Progress(console=get_console(), transient=True) as progress:
        bar = progress.add_task("asking", total=len(sets))
        waiting = {pool.submit(ask, place): place for place in reversed(range(len(sets)))}
        found: dict[int, Answered] = {}
        for future in as_completed(waiting):
            found[waiting[future]] = future.result()
            progress.update(bar, advance=1, description=sets[waiting[future]].name)
    return {one.name: found[place] for place, one in enumerate(sets)}


def inherit(asker: Asker, sets: Sequence[PictureSet]) -> None:
    """Make this process a worker, with no say on the console."""
    get_console().quiet = True
    inherited[:] = [asker, sets]


def ask(place: int) -> Answered:
    """In a worker: the answers to one set."""
    asker, sets = inherited
    return answered(asker, sets[place])


if __name__ == "__main__":
    main()
