"""MLflow's registry: who is champion among the versions that exports made, since when and why.

Each data source has a registered model of its own, `inkwell-SOURCE`: models for different sources cannot be compared.
An experiment of DVC's registers its models and crowns none: only the workspace's own pipeline does.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.paths import BEST, CANDIDATES
from pipeline.tracking import away, events, exports, store
from pipeline.tracking.exports import find_version
from pipeline.tracking.runkey import hash_path, read_json
from pipeline.tracking.runs import log_files, outcome, publish_model, written

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

REPORT = Path("reports/promotion.json")
VERDICTS = BEST / "verdicts.json"
TOLD = Path("mlflow.champion")
"""Whom this workspace called champion last. It goes with no revision, neither through git nor through DVC, so that DVC
sees it differ from what dvc.lock says once another is checked out."""
LEFT = Path("mlflow.experiment")
"""The experiment that left its outputs in this workspace, until MLflow is told of a champion again."""
CHAMPION = "champion"
"""A registered model's tags with this and a number tell, in order, who was champion since when and why."""


@away.or_later
def publish_promotion(experiment: str | None = None, since: datetime | None = None) -> list[str]:
    """Make MLflow's registry agree with reports/promotion.json: versions, and the aliases `champion` and `challenger`.

    Where that is of an `experiment` the aliases stay as they are. `since` is when the champion became it, now if not
    given. A model that is not at hand is passed over. Returns what the registry did not have.
    """
    client = store.open_store()
    report = read_json(REPORT)
    champion, challenger = (report[role] and report[role]["model_sha256"] for role in ("champion", "challenger"))
    new: list[str] = []
    for candidate in report["candidates"]:
        folder = CANDIDATES / candidate["network"]
        if holds(folder, candidate["model_sha256"]):
            new += publish_model(client, folder)[1]
    name = exports.registered_model(client, report["source"])
    if experiment:
        return new
    if champion and holds(BEST, champion):
        export, more = publish_model(client, BEST)
        new += more + log_files(client, export.run, kept_at(champion), written(BEST))
        if VERDICTS.exists():
            exports.tag_version(client, export.version, {"gates": outcome(read_json(VERDICTS)["gates"])})
        before = client.get_registered_model(name).aliases.get("champion")
        since = since or datetime.now(UTC)
        crowned = crown(client, name, champion, report["why"], since)
        if crowned:
            events.promoted(export.version, before, report["why"], since)
        new += crowned
    challenge(client, name, challenger)
    return new


def remember(experiment: str | None) -> None:
    """Write down whom reports/promotion.json calls champion, and the experiment that does if it is one's."""
    report = read_json(REPORT)
    who = [f"{role} {report[role] and report[role]['model_sha256']}" for role in ("champion", "challenger")]
    TOLD.write_text(f"{report['source']}: {', '.join(who)}\n", encoding="utf-8")
    if experiment:
        LEFT.write_text(f"{experiment}\n", encoding="utf-8")
    else:
        LEFT.unlink(missing_ok=True)


def left_by() -> str | None:
    """The experiment that left its outputs in this workspace, if one did."""
    return LEFT.read_text(encoding="utf-8").strip() if LEFT.exists() else None


def kept_at(sha256: str) -> str:
    """Where a champion's run keeps what stood in models/best, among its artifacts."""
    return f"champion/{sha256[:12]}"


def reigns(client: "MlflowClient", source: str) -> list["ModelVersion"]:
    """The champions of a source, the present one last; one that came back stands there each time."""
    name = exports.registered_model(client, source)
    tags = client.get_registered_model(name).tags
    known = {str(version.version): version for version in client.search_model_versions(f"name = '{name}'")}
    told = [re.search(r"\(version (\d+)\) since", tags[key]) for key in sorted(tags) if key.startswith(CHAMPION)]
    return [known[one[1]] for one in told if one and one[1] in known]


def holds(folder: Path, sha256: str) -> bool:
    """Whether a folder has the model with these bytes."""
    file = folder / "model.onnx"
    return file.exists() and hash_path(file) == sha256


def crown(client: "MlflowClient", name: str, sha256: str, why: str, since: datetime) -> list[str]:
    """Make the version with these bytes champion and write down when and why; nothing changes if it is champion."""
    version = find_version(client, name, sha256)
    assert version is not None
    before = client.get_registered_model(name).aliases.get("champion")
    if before == version.version:
        return []
    moment = f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if before is not None:
        client.set_model_version_tag(name, before, "champion_until", moment)
    client.delete_model_version_tag(name, version.version, "champion_until")
    client.set_model_version_tag(name, version.version, "champion_since", moment)
    client.set_model_version_tag(name, version.version, "champion_why", why)
    reigns = {key: value for key, value in client.get_registered_model(name).tags.items() if key.startswith(CHAMPION)}
    reign = f"{version.tags['network']} (version {version.version}) since {moment}. {why}"
    client.set_registered_model_tag(name, f"{CHAMPION} {len(reigns) + 1:03}", reign)
    before_it = [f"- {reigns[key]}" for key in sorted(reigns, reverse=True)]
    description = "\n".join([f"Champion: {reign}", *(["\nBefore it:\n", *before_it] if before_it else [])])
    client.update_registered_model(name, description)
    client.set_registered_model_alias(name, "champion", version.version)
    return [f"champion: {version.tags['network']}"]


def challenge(client: "MlflowClient", name: str, sha256: str | None) -> None:
    """Point the alias `challenger` at the version with these bytes, or at none."""
    version = find_version(client, name, sha256) if sha256 else None
    if version:
        client.set_registered_model_alias(name, "challenger", version.version)
    else:
        client.delete_registered_model_alias(name, "challenger")
