"""What others may wait for: a line of JSON in promotions.jsonl for each new champion.

MLflow's own webhooks are sent by a tracking server alone, of whatever is asked of it (the event
`model_version_alias.created` is a promotion); a database that is written without one sends none.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

PROMOTIONS = Path("promotions.jsonl")


def promoted(version: "ModelVersion", before: str | None, why: str, at: datetime) -> None:
    """Append that a version became champion in the place of another, if there was one.

    Nothing where the model's last line says so already, as when a lost store is filled again.
    """
    lines = PROMOTIONS.read_text(encoding="utf-8").splitlines() if PROMOTIONS.exists() else []
    last = {told["model"]: told["model_sha256"] for told in map(json.loads, lines)}
    sha256 = version.tags["model_sha256"]
    if last.get(version.name) == sha256:
        return
    event = {
        "event": "promoted",
        "at": at.isoformat(timespec="seconds"),
        "model": version.name,
        "version": str(version.version),
        "before": None if before is None else str(before),
        "network": version.tags["network"],
        "run_key": version.tags["run_key"],
        "model_sha256": sha256,
        "why": why,
    }
    with PROMOTIONS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(event, ensure_ascii=False) + "\n")
