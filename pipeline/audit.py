"""Audit one exported network as it is served, on the test set: models/candidates/NETWORK/ to reports/audit/NETWORK/.

    python -m pipeline.audit convnet

Writes index.html, the report; audit.json, the gates' verdicts; and tables/, what the report shows, as CSV. A gate that
is not passed does not stop the pipeline: it stops the network from becoming champion.

The champion's answers are no input: they depend on what was run before, and the audit depends on nothing but its
inputs. `promote` compares candidate and champion, on validation.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich import box, get_console
from rich.console import Console
from rich.table import Table

from pipeline import params
from pipeline.audits import (
    accuracy,
    adversarial,
    calibration,
    invariance,
    ood,
    population,
    representation,
    robustness,
    selftest,
    style,
)
from pipeline.audits import out_of_fold as recipe
from pipeline.audits.section import Section, Subject
from pipeline.audits.subject import load_recipe, load_subject
from pipeline.models.load import load_network
from pipeline.paths import TRAINED
from pipeline.report import page as report
from pipeline.report import wording
from pipeline.stage import stage
from pipeline.tracking.runs import publish_audit

REPORTS = Path("reports/audit")
WORKERS = 2  # parts that are measured side by side, a core each
Parts = dict[str, Callable[[], Section]]
inherited: Parts = {}
"""In a worker, the parts that it has from the process that it was forked from: they cannot be sent to it."""
COLOURS: dict[wording.Standing, str] = {
    "passed": "green",
    "close": "yellow",
    "not measurable": "yellow",
    "failed": "bold red",
}


@stage("audit", network="the name of a folder under models/candidates/, with gates of its own in params.yaml")
def main(network: str) -> None:
    source, seed, draws, attacked, gates = params.load(
        "data.source", "audit.seed", "audit.bootstrap", "audit.attacked", "audit.gates"
    )
    console = get_console()

    subject, samples = load_subject(network, source, gates[source][network], draws, seed)
    weights = cache(lambda: load_network(TRAINED / network))  # in a worker, since it gives torch threads of its own
    parts: Parts = {
        "accuracy": lambda: accuracy.measure(subject),
        "populations": lambda: population.measure(subject),
        "style": lambda: style.measure(subject),
    }
    if out_of_fold := load_recipe(network, samples):
        parts["recipe"] = lambda: recipe.measure(subject, *out_of_fold)
    parts |= {
        "corruptions": lambda: robustness.measure(subject),
        "invariance": lambda: invariance.measure(subject),
        "not digits": lambda: ood.measure(subject, weights()),
        "calibration": lambda: calibration.measure(subject),
        "representation": lambda: representation.measure(samples),
        "the audit itself": lambda: selftest.measure(subject),
    }
    if count := attacked[source]:
        parts["attacks"] = lambda: adversarial.measure(subject, weights(), count)

    console.print(f"Auditing {network} on {len(subject.images):,} test images of {source}.")
    sections = measured(parts, console)
    findings = records(sections)
    check(findings)
    write(REPORTS / network, subject, sections, findings)
    console.print(scorecard(findings))
    console.print(conclusion(network, findings), style="red" if failed(findings) else "green", markup=False)
    publish_audit(network)


def measured(parts: Parts, console: Console) -> list[Section]:
    """Run the parts side by side, the last and longest first, and say of each how long it took; in their order.

    The workers are forked, since a recogniser's session cannot be sent to them: before torch has threads of its own.
    """
    pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("fork"), initializer=prepare, initargs=(parts,))
    with pool, console.status("") as status:
        names = {pool.submit(run, name): name for name in reversed(parts)}
        sections: dict[str, Section] = {}
        status.update(f"{', '.join(parts)} ...")
        for future in as_completed(names):
            section, seconds = future.result()
            sections[names[future]] = section
            console.print(f"  {names[future]:<20}{seconds:7.1f} s", highlight=False)
            status.update(f"{', '.join(name for name in parts if name not in sections)} ...")
    return [sections[name] for name in parts]


def prepare(parts: Parts) -> None:
    """Make this process a worker: it inherits the parts, has one core, and no say on the console."""
    torch.set_num_threads(1)
    get_console().quiet = True
    inherited.update(parts)


def run(name: str) -> tuple[Section, float]:
    """In a worker: one part, its figures drawn, and the seconds that it took."""
    started = time.perf_counter()
    section = report.drawn(inherited[name]())
    return section, time.perf_counter() - started


def records(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """All gates as they stand in audit.json: each with its section in the report, and the pictures there."""
    return [
        gate.record() | {"section": section.key, "figures": list(section.figures)}
        for section in sections
        for gate in section.gates
    ]


def check(gates: Sequence[wording.Record]) -> None:
    """Raise ValueError unless every gate of params.yaml was decided, once: what nobody measured would look passed."""
    names = [gate["name"] for gate in gates]
    if missing := set(params.Gates.model_fields) - set(names):
        raise ValueError(f"no part of the audit decides these gates: {', '.join(sorted(missing))}")
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"several parts of the audit decide these gates: {', '.join(sorted(twice))}")


def write(folder: Path, subject: Subject, sections: Sequence[Section], gates: Sequence[wording.Record]) -> None:
    """Write the report, the verdicts and the tables, in the place of those of an earlier run."""
    tables = folder / "tables"
    shutil.rmtree(tables, ignore_errors=True)
    tables.mkdir(parents=True)
    report.write_tables(sections, tables)
    page = report.render(subject.name, subject.source, subject.recogniser.version, len(subject.images), sections)
    (folder / "index.html").write_text(page, encoding="utf-8")
    values = {gate["name"]: gate["value"] for gate in gates if gate["measurable"]}
    found = {
        "network": subject.name,
        "source": subject.source,
        "values": values | {section.key: section.values for section in sections if section.values},
        "gates": gates,
        "findings": {section.key: section.findings for section in sections},
    }
    (folder / "audit.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def failed(gates: Sequence[wording.Record]) -> list[wording.Record]:
    """The gates that were not passed."""
    return [gate for gate in gates if wording.standing(gate) == "failed"]


def scorecard(gates: Sequence[wording.Record]) -> Table:
    """A row for each gate."""
    table = Table("requirement", "found", "required", "", box=box.SIMPLE_HEAD)
    for gate in gates:
        standing = wording.standing(gate)
        table.add_row(
            wording.requirement(gate["name"]).title,
            wording.found(gate),
            wording.asked(gate),
            f"[{COLOURS[standing]}]{standing}[/]",
        )
    return table


def conclusion(name: str, gates: Sequence[wording.Record]) -> str:
    """What came out: on a refusal which gate, by how much, and where to look."""
    page = REPORTS / name / "index.html"
    if not failed(gates):
        return f"{name} passed its gates. The report: {page}"
    lines = [f"{name} is refused: {len(failed(gates))} of {len(gates)} gates failed."]
    for gate in failed(gates):
        lines += [f"- {wording.refusal(gate)}", f"  Look at {wording.place(gate, page)}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
