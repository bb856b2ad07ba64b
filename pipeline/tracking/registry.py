"""MLflow's registry: a version for every candidate, and who is champion, since when and why.

Each data source has a registered model of its own, `inkwell-SOURCE`: models for different sources cannot be compared.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.paths import BEST, CANDIDATES, TRAINED
from pipeline.tracking import runkey, store
from pipeline.tracking.runs import Record, find_model, publish_model, read_json, verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

REPORT = Path("reports/promotion.json")
CHAMPION = "champion"
"""A registered model's tags with this and a number tell, in order, who was champion since when and why."""


def publish_promotion(since: datetime | None = None) -> list[str]:
    """Make MLflow's registry agree with reports/promotion.json: versions, and the aliases `champion` and `challenger`.

    `since` is when the champion became it, now if not given. Returns what the registry did not have.
    """
    client = store.open_store()
    report = read_json(REPORT)
    name = registered_model(client, report["source"])
    new: list[str] = []
    for candidate in report["candidates"]:
        new += register(client, name, TRAINED / candidate["network"], CANDIDATES / candidate["network"], candidate)
    if report["champion"]:
        new += register(client, name, BEST, BEST, report["champion"])
        new += crown(client, name, report["champion"]["model_sha256"], report["why"], since or datetime.now(UTC))
    challenge(client, name, report["challenger"] and report["challenger"]["model_sha256"])
    return new


def registered_model(client: "MlflowClient", source: str) -> str:
    """The name of a data source's registered model, which is created where there is none."""
    name = f"inkwell-{source}"
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, {"source": source}, "No model has become champion yet.")
    return name


def register(client: "MlflowClient", name: str, trained: Path, exported: Path, candidate: dict[str, Any]) -> list[str]:
    """Register a model, once for its bytes, out of the folders of its training and its export.

    Its gates' verdict is kept up to date.
    """
    sha256 = runkey.hash_path(exported / "model.onnx")
    version = find_version(client, name, sha256)
    new: list[str] = []
    if version is None:
        from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

        run, new = publish_model(client, trained, exported)
        logged = find_model(client, run, sha256)
        assert logged is not None
        record: Record = read_json(trained / "run.json")
        tags = {"network": record["network"], "run_key": record["run_key"], "model_sha256": sha256}
        if commit := run.data.tags.get("git_commit"):
            tags["git_commit"] = commit
        version = client.create_model_version(
            name,
            f"models:/{logged.model_id}",
            run.info.run_id,
            tags,
            description=f"{record['network']}: {candidate['validation_accuracy']:.2%} on validation",
            model_id=logged.model_id,
        )
        link = json.dumps([{"name": name, "version": version.version}])
        client.set_logged_model_tags(logged.model_id, {MLFLOW_MODEL_VERSIONS: link})
        new = [*new, f"version {version.version} of {name}"]
    audit = Path("reports/audit", exported.name, "audit.json")
    if audit.exists():
        client.set_model_version_tag(name, version.version, "gates", verdict(read_json(audit)["gates"]))
    return new


def find_version(client: "MlflowClient", name: str, sha256: str) -> "ModelVersion | None":
    """The version with these bytes, if there is one."""
    found = client.search_model_versions(f"name = '{name}' AND tags.model_sha256 = '{sha256}'")
    return found[0] if found else None


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
