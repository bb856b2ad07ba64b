"""requirements-serve.lock: what the Bento needs, whole, and as requirements.lock has it."""

import re
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lock
from pipeline import release
from pipeline.package import REQUIREMENTS

WHOLE, SERVING = (lock.split(Path(name).read_text())[1:] for name in ("requirements.lock", "requirements-serve.lock"))
NAMES = {lock.name(package) for package in SERVING}


def test_its_pins_and_hashes_are_those_of_the_whole_environment():
    assert set(SERVING) < set(WHOLE)
    assert all("--hash=sha256:" in package for package in SERVING)


def test_nothing_that_a_package_in_it_needs_is_missing():
    assert {"bentoml", *REQUIREMENTS} <= NAMES
    needed = {
        canonicalize_name(one.name)
        for name in NAMES & {canonicalize_name(one) for one in installed()}
        for one in map(Requirement, requires(name) or [])
        if not one.marker or one.marker.evaluate({"extra": ""})
    }
    assert needed <= NAMES


def installed() -> set[str]:
    return {distribution(name).name for names in packages_distributions().values() for name in names}


def test_it_has_nothing_that_trains_or_tracks():
    assert not NAMES & {"torch", "pytorch-lightning", "mlflow", "mlflow-skinny", "dvc", "pandas", "scikit-learn"}


def test_the_command_that_serves_imports_nothing_else():
    script = "import sys; before = set(sys.modules); import pipeline.serve; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    modules = {name.partition(".")[0] for name in done.stdout.split()}
    owners = packages_distributions()
    imported = {canonicalize_name(name) for module in modules for name in owners.get(module, [])}
    assert "httpx" in imported
    assert imported <= NAMES


def test_the_released_bento_finds_the_versions_that_it_was_packaged_with(tmp_path):
    pins = {package.split()[0] for package in SERVING}
    for champion in release.champions().values():
        release.take_out(champion.dist, tmp_path / champion.dist)
        pinned = (tmp_path / champion.dist / "bento/env/python/requirements.txt").read_text()
        assert set(re.findall(r"^[\w-]+==\S+", pinned, re.MULTILINE)) <= pins
    assert f"onnxruntime=={version('onnxruntime')}" in pins
