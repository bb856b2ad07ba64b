"""What a stage reads, as dvc.yaml declares it, and the run key: one hash over all of it."""

import hashlib
import json
from collections.abc import Iterable
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
    """Hash what a stage reads, as DVC understands dvc.yaml; `stage` is "preprocess", or "train@convnet" of a matrix.

    Raises KeyError for a stage that does not exist, FileNotFoundError for a missing dependency, and DVC's
    MissingParamsError for a parameter that params.yaml lacks.
    """
    from dvc.dependency.param import ParamsDependency  # it takes 0.6 s of a core: only where a key is asked for
    from dvc.repo import Repo
    from dvc.utils.flatten import flatten

    stages = {one.name: one for one in Repo(str(root), uninitialized=True).stage.load_all(str(root / "dvc.yaml"))}
    if stage not in stages:
        raise KeyError(f"dvc.yaml has no stage {stage!r}")
    made = [output.def_path for one in stages.values() for output in one.outs]
    read = stages[stage].deps
    params = [flatten(one.get_hash().value) for one in read if isinstance(one, ParamsDependency)]
    paths = [one.def_path for one in read if not isinstance(one, ParamsDependency)]
    hashes = {path: hash_path(root / path) for path in paths}
    data = {path: sha for path, sha in hashes.items() if any(covers(output, [path]) for output in made)}
    code = {path: sha for path, sha in hashes.items() if path not in data}
    return Inputs({name: value for part in params for name, value in part.items()}, data, code)


def dvc_hashes(root: Path = Path()) -> dict[str, str]:
    """Path -> DVC's md5 of every output that dvc.lock knows; empty before the first run."""
    lock = root / "dvc.lock"
    if not lock.exists():
        return {}
    stages = YAML(typ="safe", pure=True).load(lock)["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", []) if "md5" in out}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def covers(output: str, paths: Iterable[str]) -> bool:
    """Whether one of these paths is this output, or lies in it."""
    return any(Path(path).is_relative_to(output) for path in paths)


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
