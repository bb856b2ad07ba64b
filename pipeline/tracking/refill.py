"""Fill a lost or empty MLflow store again from the DVC outputs that are here:

    python -m pipeline.tracking.refill

A clone that pulled its outputs from DVC's cache, and so never trained, gets its runs and its registry by the same
command. What the store has already is left as it is, so that the command may run as often as one likes.
"""

import argparse
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import track

from pipeline.tracking import registry, runkey, runs, store


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    console = Console()
    filled = {}
    for network in track(runkey.networks(), "Filling MLflow", console=console, transient=True):
        filled[network] = [
            item
            for path, publish in (
                (f"models/trained/{network}/run.json", runs.publish_training),
                (f"models/candidates/{network}/model.onnx", runs.publish_export),
                (f"reports/evaluate/{network}/test.json", runs.publish_evaluation),
                (f"reports/audit/{network}/audit.json", runs.publish_audit),
            )
            if Path(path).exists()
            for item in publish(network)
        ]
    filled["registry"] = registry.publish_promotion(committed(registry.REPORT)) if registry.REPORT.exists() else []
    for name, items in filled.items():
        console.print(f"{name}: {', '.join(items) or 'nothing was missing'}")
    console.print(f"MLflow's store: {store.tracking_uri()}", soft_wrap=True)


def committed(path: Path) -> datetime | None:
    """When git last saw a file change; None if it differs from what is committed, or git does not know it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments, "--", str(path)], capture_output=True, text=True).stdout.strip()

    date = git("log", "-1", "--format=%cI")
    return datetime.fromisoformat(date) if date and not git("status", "--porcelain") else None


if __name__ == "__main__":
    main()
