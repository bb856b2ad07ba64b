"""Run the whole pipeline on one source of data, then say what came out of it.

    python -m pipeline mnist-sample

What has not changed since the last run is not run again.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pipeline import checkout, ending, params
from pipeline.data.sources import SOURCES
from pipeline.paths import EVALUATIONS, VERDICTS
from pipeline.serve import SOURCE as SERVED
from pipeline.tracking import registry
from pipeline.tracking.git import git

DVC = (sys.executable, "-m", "pipeline.ending", "dvc")
PARAMS = Path("params.yaml")
PROMOTION = Path("reports/promotion.json")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", choices=list(SOURCES), default="mnist-sample")
    source = parser.parse_args(argv).source
    console = Console()
    try:
        networks, gates, candidates = params.load("networks", "gates", "candidates")
    except params.ParamsError as error:  # or DVC would stop, with less to say, at what it cannot resolve
        sys.exit(f"pipeline: {error}")
    if others := sorted(networks.keys() - set(candidates)):
        forgotten = not gates.keys().isdisjoint(others)
        console.print(
            f"Left out, since they are not among the candidates of params.yaml: {', '.join(others)}.",
            style="yellow" if forgotten else "dim",
        )
    try:
        with checkout.held():
            unchanged = run(source, console)
    except checkout.BusyError as error:
        sys.exit(f"pipeline: {error}: wait for it, or stop it.")
    if unchanged:
        console.print("Nothing has changed since the last run.")
    promotion = read(PROMOTION)
    console.print(results(promotion))
    console.print(promotion["why"])
    console.print(next_steps(source, changed()), highlight=False)


def run(source: str, console: Console) -> bool:
    """Let DVC run what has changed with this source; whether nothing had."""
    if checkout.mend_lock():
        console.print("dvc.lock was left half written: DVC's cache knows what was finished.", style="yellow")
    PARAMS.write_text(with_source(PARAMS.read_text(encoding="utf-8"), source), encoding="utf-8")
    if registry.left_by():  # or DVC would do nothing about the champion of an experiment that is kept
        registry.TOLD.unlink(missing_ok=True)
    unchanged = is_unchanged()
    if not unchanged and (count := checkout.refill_cache()):
        console.print(f"{count} outputs were lost from DVC's cache, and are in it again.", style="yellow")
        unchanged = is_unchanged()
    if unchanged:
        return True
    checkout.settle_champion()
    if subprocess.run([*DVC, "repro"]).returncode:
        sys.exit(
            "The pipeline stopped at the stage named above. What was finished is kept: run the same command again."
        )
    checkout.forget_champion()
    return False


def is_unchanged() -> bool:
    return subprocess.run([*DVC, "status", "--quiet"]).returncode == 0


def with_source(text: str, source: str) -> str:
    """params.yaml's ``text`` with another data.source, comments and all else untouched."""
    return re.sub(r"(?m)^(  source: )\S+", rf"\g<1>{source}", text, count=1)


def results(promotion: dict[str, Any]) -> Table:
    """A row for each network: accuracy on validation and test, its gates, and who is champion."""
    table = Table(box=box.SIMPLE_HEAD, title=f"{promotion['source']}: champion {promotion['champion']['network']}")
    for column in ("network", "validation", "test", "gates", ""):
        table.add_column(column, justify="right" if column in ("validation", "test") else "left")
    for name in sorted(candidate["network"] for candidate in promotion["candidates"]):
        validation, test = (read(EVALUATIONS / name / f"{split}.json") for split in ("validation", "test"))
        gates = read(VERDICTS / f"{name}.json")["gates"]
        crown = "champion" if name == promotion["champion"]["network"] else ""
        table.add_row(name, f"{validation['accuracy']:.2%}", f"{test['accuracy']:.2%}", verdict(gates), crown)
    return table


def verdict(gates: list[dict[str, Any]]) -> str:
    """The gates that were failed by name, else how many were passed, and how many could not be measured."""
    if failed := [gate["name"] for gate in gates if gate["status"] == "failed"]:
        return f"[red]failed: {', '.join(failed)}[/]"
    unmeasured = sum(gate["status"] == "not measurable" for gate in gates)
    return f"[green]{len(gates) - unmeasured} passed[/]" + (f", {unmeasured} not measurable" if unmeasured else "")


def changed() -> list[str]:
    """The project's files under version control that differ from the last commit; what else a repository has is not
    its own."""
    here = git("rev-parse", "--show-prefix").strip()
    entries = git("status", "--porcelain", "--no-renames", "-z", "--", ".").split("\0")
    return [entry[3:].removeprefix(here) for entry in entries if entry]


def next_steps(source: str, files: list[str]) -> str:
    """What to type now, and how to undo what the run changed under version control."""
    serve = "make serve" if source == SERVED else f"make serve DATA={source}"
    text = (
        f"Next: [bold]{serve}[/] to draw digits and call the API, [bold]make ui[/] to compare the runs in MLflow, "
        "[bold]dvc plots show[/] and [bold]dvc dag[/] to see the pipeline."
    )
    if source != SERVED:
        text += f" [bold]make serve[/] alone serves the champion of {SERVED} as before."
    if files:
        text += (
            f"\n\nThis run differs from the committed one; git sees changes in {', '.join(files)}. Keep them with "
            "[bold]git commit[/], or go back with [bold]git restore params.yaml dvc.lock reports[/] and "
            "[bold]dvc pull dist models/best[/]: the next run of the committed source takes its outputs from DVC's "
            "cache, or makes them again."
        )
    return text


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    ending.watch("pipeline", ending.RUN_S, polite=True, parents="MAKELEVEL" in os.environ)
    main()
