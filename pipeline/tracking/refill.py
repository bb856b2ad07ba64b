"""Fill a lost or empty MLflow store again from the DVC outputs that are here:

    python -m pipeline.tracking.refill

A clone that pulled outputs from a DVC cache, and so never trained, gets its runs and its registry by the same command:
all that those outputs tell of, be it the champion alone, which is taken out of release/ where none is here. What
the store has already is left as it is, so that the command may run as often as one likes.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from inspect import unwrap
from pathlib import Path

from rich.console import Console
from rich.progress import track

from pipeline import params, release
from pipeline.paths import BEST, CANDIDATES, DREAMS, EVALUATIONS, SHOW, TRAINED, VERDICTS
from pipeline.tracking import address, away, registry, runs, store
from pipeline.tracking.git import git

REMEDY = "`dvc repro -sf crown` makes it MLflow's too, `git restore . && dvc checkout && dvc repro` goes back."


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    try:
        fill(Console())
    except Exception as error:
        if isinstance(error, away.StoreError) or away.is_away(error):
            sys.exit(f"refill: {error if isinstance(error, away.StoreError) else away.told(error)}. Nothing is lost.")
        raise


def fill(console: Console) -> None:
    """Make MLflow agree with the outputs that are here, and print what it had not."""
    source, candidates = params.load("data.source", "candidates")
    store.open_store()
    release.bring(source)
    filled = {}
    here = [name for name in candidates if (TRAINED / name).exists() or (CANDIDATES / name).exists()]
    for network in track(here, "Filling MLflow", console=console, transient=True):
        trained, exported = TRAINED / network / "run.json", CANDIDATES / network / "model.onnx"
        filled[network] = [
            item
            for publish, needed in (
                (runs.publish_training, [trained]),
                (runs.publish_export, [exported]),
                (runs.publish_evaluation, [exported, EVALUATIONS / network / "test.json"]),
                (runs.publish_audit, [exported, VERDICTS / f"{network}.json"]),
            )
            if all(path.exists() for path in needed)
            for item in unwrap(publish)(network)
        ]
    since = committed(registry.REPORT)
    experiment = None if since else registry.left_by()
    publish_promotion = unwrap(registry.publish_promotion)
    filled["registry"] = publish_promotion(experiment, since) if registry.REPORT.exists() else []
    if DREAMS.exists() and (SHOW / "dreams.json").exists() and BEST.exists():
        filled["dreams"] = unwrap(runs.publish_show)()
    for name, items in filled.items():
        console.print(f"{name}: {', '.join(items) or 'nothing was missing'}")
    if experiment:
        console.print(f"The champion here is that of the experiment {experiment}: {REMEDY}", soft_wrap=True)
    if absent := [name for name in candidates if name not in here]:
        console.print(
            f"{', '.join(absent)}: not in {TRAINED}/ or {CANDIDATES}/; `make run DATA={source}` makes what is missing",
            soft_wrap=True,
        )
    console.print(f"MLflow's store: {address.shown(store.tracking_uri())}", soft_wrap=True)


def committed(path: Path) -> datetime | None:
    """When git last saw a file change; None if it differs from what is committed, or git does not know it."""
    date = git("log", "-1", "--format=%cI", "--", str(path)).strip()
    return datetime.fromisoformat(date) if date and not git("status", "--porcelain", "--", str(path)) else None


if __name__ == "__main__":
    main()
