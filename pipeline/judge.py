"""Judge one network by its answers: reports/answers/NETWORK/ to reports/verdicts/NETWORK.json and its report.

    python -m pipeline.judge convnet

Writes the verdict on every gate with what was measured and found; reports/gates/NETWORK.json, how many gates it fails,
which DVC shows; and reports/audit/NETWORK/: index.html, the report, and tables/, what it shows, as CSV. Nobody is asked
again. A gate that is not passed does not stop the pipeline: it stops the network from becoming champion.
"""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import get_console

from pipeline import params, paths
from pipeline.audits import (
    accuracy,
    adversarial,
    as_sent,
    calibration,
    forms,
    gates,
    invariance,
    ood,
    out_of_fold,
    population,
    representation,
    results,
    robustness,
    selftest,
    style,
)
from pipeline.audits.gates import Estimate, Verdict
from pipeline.audits.results import TEST, Results
from pipeline.data.files import replacing
from pipeline.data.store import load_split
from pipeline.report import page, scorecard, sections
from pipeline.report.page import Drawn
from pipeline.stage import stage

WORKERS = 2  # sections that are measured side by side, a core each
Thresholds = Mapping[str, float]
Measure = Callable[[], dict[str, Any]]
inherited: list[Any] = []
"""In a worker, what it has from the process that it was forked from, which would be slow to send."""


@dataclass(frozen=True)
class Judged:
    """All that the judge says of one network."""

    verdicts: list[Verdict]
    sections: dict[str, Drawn]

    @property
    def gates(self) -> list[dict[str, Any]]:
        """The gates as the verdicts file holds them."""
        return scorecard.records(self.verdicts, {name: one.section for name, one in self.sections.items()})


@stage("judge", network="a name among the candidates of params.yaml")
def main(network: str) -> None:
    source, seed, bootstrap, default, own = params.load(
        "data.source", "audit.seed", "audit.bootstrap", "gates.default", f"gates.{network}"
    )
    thresholds = params.thresholds(default, own, source)
    samples = pd.read_parquet(paths.SAMPLES)
    found = read(network, samples, seed, bootstrap)
    judged = judge(found, samples, thresholds, read_out_of_fold(network, samples))
    write(found, judged)
    console = get_console()
    console.print(scorecard.table(judged.gates))
    refused = scorecard.failed(judged.gates)
    console.print(conclusion(network, judged), style="red" if refused else "green", markup=False)

    from pipeline.tracking.runs import publish_audit  # MLflow takes seconds: only once all is judged

    publish_audit(network)


def read(network: str, samples: pd.DataFrame, seed: int, bootstrap: int) -> Results:
    """What a network answered, beside the test images that it was asked about."""
    folder = paths.ANSWERS / network
    images, labels = load_split(paths.PROCESSED, TEST)
    sets = results.load(folder)
    return Results(
        images=images,
        labels=labels,
        samples=samples.query("split == 'test'").sort_values("row", ignore_index=True),
        predictions=sets[TEST].predictions,
        seed=seed,
        sets=sets,
        bootstrap=bootstrap,
        **json.loads((folder / "asked.json").read_text(encoding="utf-8")),
    )


def read_out_of_fold(network: str, samples: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame] | None:
    """What the networks of a network's folds answered, each for its own, or None where there are none.

    Returns:
        The images of training and validation, uint8 [N, 28, 28], and a row for each with the columns of
        samples.parquet and of the answers.
    """
    answers = pd.read_parquet(paths.OUT_OF_FOLD / f"{network}.parquet")
    if answers.empty:
        return None
    images = np.concatenate([load_split(paths.PROCESSED, split)[0] for split in answers["split"].unique()])
    return images, answers.drop(columns="label").merge(samples, on=["split", "row"], validate="one_to_one")


def judge(
    found: Results,
    samples: pd.DataFrame,
    thresholds: Thresholds,
    tried_out_of_fold: tuple[np.ndarray, pd.DataFrame] | None = None,
    sampled: bool = False,
) -> Judged:
    """Measure every section, decide every gate, and put both into words and pictures.

    Args:
        samples: of all splits, as in samples.parquet; thresholds: of all gates, by name.
        sampled: whether ``found`` is about a sample of the test set.
    """
    measures: dict[str, Measure] = {
        "accuracy": lambda: accuracy.measure(found),
        "population": lambda: population.measure(found),
        "style": lambda: style.measure(found),
    }
    if tried_out_of_fold:
        measures["out_of_fold"] = lambda: out_of_fold.measure(found, *tried_out_of_fold, thresholds)
    measures |= {
        "robustness": lambda: robustness.measure(found),
        "as_sent": lambda: as_sent.measure(found),
        "forms": lambda: forms.measure(found),
        "invariance": lambda: invariance.measure(found),
        "ood": lambda: ood.measure(found),
        "calibration": lambda: calibration.measure(found),
        "representation": lambda: representation.measure(samples, found.source),
        "selftest": lambda: selftest.measure(found, thresholds),
    }
    if found.of("attack"):
        measures["adversarial"] = lambda: adversarial.measure(found)

    pool = ProcessPoolExecutor(WORKERS, get_context("fork"), initializer=partial(inherit, measures, found, thresholds))
    with pool, get_console().status("judging"):
        waiting = {pool.submit(measured, name): name for name in reversed(measures)}
        done = {waiting[future]: future.result() for future in as_completed(waiting)}
    estimates = {name: done[name][0] for name in measures}
    return Judged(gates.decide(estimates, thresholds, sampled), {name: done[name][1] for name in measures})


def inherit(measures: Mapping[str, Measure], found: Results, thresholds: Thresholds) -> None:
    """Make this process a worker, with no say on the console."""
    get_console().quiet = True
    inherited[:] = [measures, found, thresholds]


def measured(name: str) -> tuple[dict[str, Estimate], Drawn]:
    """In a worker: what one section measured for its gates, and the section in words and pictures."""
    measures, found, thresholds = inherited
    values = measures[name]()
    drawn = page.drawn(sections.write(name, found, values, thresholds))
    return {key: value for key, value in values.items() if isinstance(value, Estimate)}, drawn


def write(found: Results, judged: Judged) -> None:
    """Write verdicts, report and tables, in the place of those of an earlier run."""
    paths.VERDICTS.mkdir(parents=True, exist_ok=True)
    verdicts = {
        "network": found.network,
        "source": found.source,
        "version": found.version,
        "gates": judged.gates,
        "values": {name: one.section.values for name, one in judged.sections.items()},
        "findings": {name: one.section.findings for name, one in judged.sections.items()},
    }
    text = json.dumps(verdicts, indent=2, ensure_ascii=False) + "\n"
    (paths.VERDICTS / f"{found.network}.json").write_text(text, encoding="utf-8")
    paths.GATES.mkdir(parents=True, exist_ok=True)
    fails = {f"{found.network}.fails": len(scorecard.failed(judged.gates))}
    (paths.GATES / f"{found.network}.json").write_text(json.dumps(fails) + "\n", encoding="utf-8")
    with replacing(paths.AUDIT / found.network) as folder:
        write_report(found, judged, folder)


def write_report(found: Results, judged: Judged, folder: Path) -> None:
    """Write index.html and tables/ to a folder."""
    facts = {
        "name": found.network,
        "source": found.source,
        "version": found.version,
        "images": len(found.labels),
    }
    drawn = list(judged.sections.values())
    text = page.render(facts, scorecard.verdict(found.network, judged.verdicts), judged.gates, drawn)
    (folder / "index.html").write_text(text, encoding="utf-8")
    (folder / "tables").mkdir()
    page.write_tables(drawn, folder / "tables")


def conclusion(network: str, judged: Judged) -> str:
    """What came out: on a refusal which gate, by how much, and where to look."""
    report = paths.AUDIT / network / "index.html"
    refused = scorecard.failed(judged.gates)
    if not refused:
        return f"{network} passed its gates. The report: {report}"
    lines = [f"{network} is refused: {len(refused)} of {len(judged.gates)} gates failed."]
    for gate in refused:
        captions = [caption for caption, _ in judged.sections[gate["section"]].pictures]
        lines += [f"- {scorecard.refusal(gate)}", f"  Look at {scorecard.place(gate, report, captions)}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
