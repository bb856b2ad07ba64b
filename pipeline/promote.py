"""Choose the champion, the network that is served: to models/best/, reports/promotion.json and reports/model_card.md.

    python -m pipeline.promote

The candidate is the most accurate network on validation among those that passed their gates. The champion before it of
the same data source, which stands in models/best/ since the last run or else is the released one, gives way where the
candidate is shown to be no worse by more than a margin (docs/promotion.md). Where no network may be served the stage
fails.
"""

import json
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from pipeline import params, release
from pipeline.audits.statistics import mcnemar, newcombe, tango_upper
from pipeline.data.files import recover, replacing
from pipeline.paths import AUDIT, BEST, CANDIDATES, VALIDATION, VERDICTS
from pipeline.report import before, model_card, scorecard
from pipeline.report.status import percent
from pipeline.stage import stage
from pipeline.tracking.runkey import hash_path

REPORT = Path("reports/promotion.json")
CARD = Path("reports/model_card.md")


@dataclass(frozen=True)
class Model:
    """A trained network, and its answers on validation: a table with a row per image and the columns row, label, digit.

    failed, unmeasured: sentences about the gates that it did not pass, or that this data source cannot show.
    """

    network: str
    source: str
    run_key: str
    model_sha256: str
    size: int
    answers: pd.DataFrame
    failed: list[str] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> np.ndarray:
        """bool [N]: which validation images it gets wrong."""
        return (self.answers["digit"] != self.answers["label"]).to_numpy()

    @property
    def accuracy(self) -> float:
        """Share of the validation images that it gets right."""
        return float(1 - self.wrong.mean())

    @property
    def version(self) -> str:
        """What people know its bytes by."""
        return self.model_sha256[:12]

    def record(self) -> dict[str, Any]:
        """The model as it stands in the report."""
        return {
            "network": self.network,
            "run_key": self.run_key,
            "model_sha256": self.model_sha256,
            "validation_accuracy": self.accuracy,
            "validation_errors": int(self.wrong.sum()),
            "validation_images": len(self.wrong),
        }


@dataclass(frozen=True)
class Comparison:
    """How a candidate does against the champion: the errors that only the one makes on the images of both.

    Where the two know different validation images they are not `paired`, and these are all errors.
    at_most, margin: how much larger the candidate's share of errors may be, and is allowed to be.
    """

    candidate_only: int
    champion_only: int
    paired: bool
    at_most: float
    margin: float


@dataclass(frozen=True)
class Decision:
    """Who is champion and why. `promoted` is False where the champion stays or there is none."""

    champion: Model | None
    promoted: bool
    why: str
    challenger: Model | None
    comparison: Comparison | None = None


def decide(
    candidates: Sequence[Model], champion: Model | None, alpha: float, margin: float, withdrawn: Collection[str] = ()
) -> Decision:
    """Choose a champion among candidates of one data source and the champion that stands, if any.

    The candidates are those that passed their gates and whose version is not withdrawn, the most accurate first. A
    champion with other bytes gives way to the first where that is shown to be not inferior: the upper limit, one-sided
    at 1 - alpha, of how much larger its share of errors is, is at most margin. A champion of another data source cannot
    be compared and is replaced.
    """
    source = candidates[0].source
    taken_down = [f"{one.network} {one.version}" for one in candidates if one.version in withdrawn]
    aside = f" ({', '.join(taken_down)} was rolled back: it is not crowned again by itself)" if taken_down else ""
    ranked = sorted(
        (one for one in candidates if not one.failed and one.version not in withdrawn),
        key=lambda one: (-one.accuracy, one.size, one.network),
    )
    stands = champion is not None and champion.source == source
    if not ranked:
        none = f"no candidate passed its gates{aside}"
        if stands and champion:
            return Decision(champion, False, f"{champion.network} stays champion: {none}.", None)
        return Decision(None, False, f"There is no champion: {none}.", None)

    best = ranked[0]
    merits = f"the best of {len(ranked)} on validation that passed their gates, with {percent(best.accuracy)}{aside}"
    second = ranked[1] if len(ranked) > 1 else None
    if champion is None:
        return Decision(best, True, f"{best.network} is the first champion: {merits}.", second)
    if not stands:
        before = (
            f"the champion before it, {champion.network}, was trained on {champion.source}: the two cannot be compared"
        )
        return Decision(best, True, f"{best.network} is champion: {merits}; {before}.", second)
    if champion.model_sha256 == best.model_sha256:
        return Decision(best, False, f"{best.network} stays champion: {merits}.", second)

    found = compare(best, champion, alpha, margin)
    told = sentence(best, champion, found)
    if found.at_most <= margin:
        why = f"{best.network} is champion: {merits}; {told}, and up to {points(margin)} are allowed."
        return Decision(best, True, why, second, found)
    why = (
        f"{champion.network} stays champion, {best.network} is not shown to be as good: {told}, and only "
        f"{points(margin)} are allowed{aside}."
    )
    return Decision(champion, False, why, best, found)


def compare(candidate: Model, champion: Model, alpha: float, margin: float) -> Comparison:
    """Hold a candidate against the champion: image by image where both know the same ones, else as two samples."""
    keys = ["row", "label"]
    if champion.answers[keys].equals(candidate.answers[keys]):
        paired = mcnemar(candidate.wrong, champion.wrong)
        at_most = tango_upper(paired.candidate_only, paired.champion_only, len(candidate.wrong), alpha)
        return Comparison(paired.candidate_only, paired.champion_only, True, at_most, margin)
    errors, before = ((int(one.wrong.sum()), len(one.wrong)) for one in (candidate, champion))
    return Comparison(errors[0], before[0], False, newcombe(errors, before, 1 - 2 * alpha)[1] / 100, margin)


def sentence(candidate: Model, champion: Model, found: Comparison) -> str:
    """What was found of the two, in words."""
    if not found.paired:
        counts = (
            f"the champion {champion.network} knows other validation images, of {len(champion.wrong):,} it gets "
            f"{found.champion_only} wrong, {candidate.network} {found.candidate_only} of {len(candidate.wrong):,}"
        )
    else:
        counts = (
            f"on {len(candidate.wrong):,} validation images {candidate.network} alone is wrong on "
            f"{found.candidate_only} and the champion {champion.network} alone on {found.champion_only}"
        )
    if found.at_most <= 0:
        return f"{counts}: it gets fewer wrong"
    return f"{counts}: it may get up to {points(found.at_most)} more wrong"


def points(share: float) -> str:
    """A difference of shares in percentage points, rounded up: what is above a limit is not written as the limit."""
    return f"{np.ceil(round(1e4 * share, 6)) / 100:.2f}\u00a0pp"


@stage("promote")
def main() -> None:
    source, rule, networks = params.load("data.source", "promote", "candidates")
    recover(BEST)
    forget(networks)
    candidates = [read_candidate(network) for network in networks]
    if strange := sorted({one.source for one in candidates} - {source}):
        raise ValueError(
            f"{CANDIDATES}/ holds networks trained on {', '.join(strange)}, not {source}: run `dvc repro` first"
        )
    release.bring(source)
    decision = decide(candidates, read_champion(), rule.alpha, rule.margin_of(source), rule.withdrawn)

    for one in candidates:
        if decision.champion and one.model_sha256 == decision.champion.model_sha256:
            install(one.network)
    if decision.champion:
        renew(decision.champion.model_sha256[:12])
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    found = report(source, candidates, decision)
    REPORT.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    CARD.write_text(card(found), encoding="utf-8")

    console = Console()
    console.print(table(candidates, decision))
    for one in candidates:
        for sentence in one.failed:
            console.print(f"{one.network} failed a gate: {sentence}", style="red")
        if one.failed:
            console.print(f"{one.network}: the images and the reasons are in {AUDIT / one.network / 'index.html'}")
        for sentence in one.unmeasured:
            console.print(f"{one.network}, not measurable on {source}: {sentence}", style="dim")
    console.print(decision.why, style="bold" if decision.promoted else "bold yellow")
    if decision.champion is None:
        sys.exit(1)


def forget(networks: Sequence[str]) -> None:
    """Remove what a network that is no candidate any more left in the folders that this stage reads."""
    for folder in (CANDIDATES, VALIDATION, VERDICTS):
        for path in folder.glob("[!.]*"):
            if path.is_dir() and path.name not in networks:
                shutil.rmtree(path)
            elif path.is_file() and path.stem not in networks:
                path.unlink()


def read_candidate(network: str) -> Model:
    """Read a network's model, its answers on validation and the verdicts on its gates."""
    gates = json.loads((VERDICTS / f"{network}.json").read_text(encoding="utf-8"))["gates"]
    return read_model(
        CANDIDATES / network,
        VALIDATION / f"{network}.parquet",
        [scorecard.refusal(gate) for gate in scorecard.failed(gates)],
        [f"{gate['name']}. {gate['sentence']}" for gate in gates if gate["status"] == "not measurable"],
    )


def read_champion() -> Model | None:
    """Read the champion that stands in models/best/, if there is one."""
    return read_model(BEST, BEST / "val.parquet", [], []) if BEST.exists() else None


def read_model(folder: Path, answers: Path, failed: list[str], unmeasured: list[str]) -> Model:
    """Read a model and its answers on validation."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    file = folder / "model.onnx"
    return Model(
        network=run["network"],
        source=run["source"],
        run_key=run["run_key"],
        model_sha256=hash_path(file),
        size=file.stat().st_size,
        answers=pd.read_parquet(answers, columns=["row", "label", "digit"]),
        failed=failed,
        unmeasured=unmeasured,
    )


def install(network: str) -> None:
    """Put a network's files in models/best/, all of them or none."""
    with replacing(BEST) as new:
        for file in ("model.onnx", "export.json", "run.json"):
            shutil.copyfile(CANDIDATES / network / file, new / file)
        shutil.copyfile(VALIDATION / f"{network}.parquet", new / "val.parquet")
        shutil.copyfile(VERDICTS / f"{network}.json", new / "verdicts.json")


def renew(version: str) -> None:
    """Write what the last version told of the champion's audit as it is told now, in the place of its audit.json."""
    old, new = BEST / "audit.json", BEST / "verdicts.json"
    if old.exists():
        found = before.verdicts(json.loads(old.read_text(encoding="utf-8")), version)
        new.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        old.unlink()


def report(source: str, candidates: Sequence[Model], decision: Decision) -> dict[str, Any]:
    """What reports/promotion.json says: nothing in it depends on when or where it was written."""
    return {
        "source": source,
        "champion": decision.champion and decision.champion.record(),
        "promoted": decision.promoted,
        "why": decision.why,
        "challenger": decision.challenger and decision.challenger.record(),
        "comparison": decision.comparison and asdict(decision.comparison),
        "candidates": [
            one.record() | {"gates_failed": one.failed, "gates_not_measurable": one.unmeasured} for one in candidates
        ],
    }


def card(found: Mapping[str, Any]) -> str:
    """The model card of the champion that stands in models/best/, if there is one."""
    if found["champion"] is None:
        return model_card.render(found, None, {})
    run, verdicts = (json.loads((BEST / name).read_text(encoding="utf-8")) for name in ("run.json", "verdicts.json"))
    return model_card.render(found, run, verdicts)


def table(candidates: Sequence[Model], decision: Decision) -> Table:
    """The candidates and the choice, to be printed."""
    shown = Table("network", "validation accuracy", "errors", "gates", "")
    champion = decision.champion and decision.champion.model_sha256
    for one in candidates:
        shown.add_row(
            one.network,
            percent(one.accuracy),
            f"{one.wrong.sum()} of {len(one.wrong)}",
            "[red]failed[/]" if one.failed else "passed",
            "[green]champion[/]" if one.model_sha256 == champion else "",
        )
    return shown


if __name__ == "__main__":
    main()
