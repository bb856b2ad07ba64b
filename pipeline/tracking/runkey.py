"""What a stage reads, taken from dvc.yaml, and the run key: one hash over all of it."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


@dataclass(frozen=True)
class Inputs:
    """Everything that a stage reads.

    params: flat dotted name -> value; data: path -> sha256 of what a stage makes; code: path -> sha256 of the rest.
    """

    params: dict[str, Any]
    data: dict[str, str]
    code: dict[str, str]

    @property
    def key(self) -> str:
        """The run key: 16 hex digits."""
        return digest(asdict(self))[:16]

    def record(self, network: str, source: str) -> dict[str, Any]:
        """What stands in run.json."""
        return {"network": network, "source": source, "run_key": self.key, "inputs": asdict(self)}


def inputs(stage: str, root: Path = Path()) -> Inputs:
    """Hash what dvc.yaml says that a stage reads; `stage` is "preprocess", or "train@convnet" out of a matrix.

    Raises KeyError for a stage or a parameter that does not exist, FileNotFoundError for a missing dependency.
    """
    pipeline = read_yaml(root / "dvc.yaml")["stages"]
    values = read_yaml(root / "params.yaml")
    made = {output for each in pipeline.values() for item in items(each, values) for output in outputs(each, item)}

    name, _, item = stage.partition("@")
    if name not in pipeline or (item or None) not in items(pipeline[name], values):
        raise KeyError(f"dvc.yaml has no stage {stage!r}")
    hashes = {path: hash_path(root / path) for path in resolve(pipeline[name].get("deps", []), item)}
    data = {path: sha for path, sha in hashes.items() if any(covers(output, [path]) for output in made)}
    params = [
        leaf for key in resolve(pipeline[name].get("params", []), item) for leaf in flatten(key, lookup(values, key))
    ]
    return Inputs(dict(params), data, {path: sha for path, sha in hashes.items() if path not in data})


def networks(root: Path = Path()) -> list[str]:
    """The networks of the pipeline, over which every matrix ranges."""
    return read_yaml(root / "params.yaml")["candidates"]


def dvc_hashes(root: Path = Path()) -> dict[str, str]:
    """Path -> DVC's md5 of every output that dvc.lock knows; empty before the first run."""
    lock = root / "dvc.lock"
    if not lock.exists():
        return {}
    stages = read_yaml(lock)["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", []) if "md5" in out}


def read_yaml(path: Path) -> Any:
    """Read YAML 1.2, as DVC does."""
    return YAML(typ="safe", pure=True).load(path)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def items(stage: dict[str, Any], values: Any) -> list[str | None]:
    """The items of a stage's matrix, which has one variable, a list or `${NAME}` of one; [None] without a matrix."""
    if "matrix" not in stage:
        return [None]
    [choices] = stage["matrix"].values()
    return list(lookup(values, choices[2:-1]) if isinstance(choices, str) else choices)


def resolve(entries: list[str], item: str | None) -> list[str]:
    """Put a matrix item in the place of `${item.VARIABLE}`."""
    resolved = []
    for entry in entries:
        head, found, tail = entry.partition("${item.")
        resolved.append(head + str(item) + tail.partition("}")[2] if found else entry)
    return resolved


def outputs(stage: dict[str, Any], item: str | None) -> list[str]:
    """The paths that a stage writes."""
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return resolve([entry if isinstance(entry, str) else next(iter(entry)) for entry in entries], item)


def covers(output: str, paths: Iterable[str]) -> bool:
    """Whether one of these paths is this output, or lies in it."""
    return any(Path(path).is_relative_to(output) for path in paths)


def lookup(values: Any, dotted: str) -> Any:
    """The value of a dotted name in nested mappings."""
    for name in dotted.split("."):
        if not isinstance(values, dict) or name not in values:
            raise KeyError(f"params.yaml has no {dotted!r}, which dvc.yaml declares")
        values = values[name]
    return values


def flatten(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Dotted names of the leaves; a list is a leaf."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(f"{name}.{key}", inner)
    else:
        yield name, value


def hash_path(path: Path) -> str:
    """Hash a file's bytes, or a folder's names and bytes (without Python's caches): sha256 as hex."""
    if path.is_dir():
        files = (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        return digest({file.relative_to(path).as_posix(): hash_path(file) for file in files})
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Sha256, as hex, of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
