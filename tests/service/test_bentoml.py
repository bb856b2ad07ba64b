"""BentoML's own commands on what the pipeline packages, as docs/bentoml.md has them, and what a container installs."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
import yaml

import lock
from pipeline import package, serve
from tests.service.server import Server, wait_until

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/bentoml.md").read_text(), re.DOTALL)
(*SETTING, IMPORT, LIST, GET, EXPORT), SERVE, CONTAINER = (block.splitlines() for block in BLOCKS)
ENGINE = """#!/bin/sh
[ "$1" = version ] && echo '"27.0.0"' && exit
for last; do :; done
if [ "$1" = build ]; then cp -R "$last" "$CONTEXT"; fi
echo "$@" >> "$CONTEXT.asked"
"""
"""In the place of Docker: keeps what it is given to build from."""


@pytest.fixture(scope="module")
def project(bento, tmp_path_factory):
    """A folder with dist/ as the stage leaves it, with the environment, and with an engine for containers."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(bento, folder / serve.BENTO)
    package.archive(bento, folder / package.ARCHIVE)
    activate, engine = folder / ".venv/bin/activate", folder / "engine/docker"
    for file, content in ((activate, f'PATH="{Path(sys.executable).parent}:$PATH"\n'), (engine, ENGINE)):
        file.parent.mkdir(parents=True)
        file.write_text(content)
        file.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def imported(project):
    """The same once the page's first lines were typed, and what these printed."""
    done = typed(project, "\n".join([IMPORT, LIST, GET, EXPORT]))
    assert done.returncode == 0, done.stderr
    return project, done.stdout


def environment(project: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{project}/engine:{os.environ['PATH']}", "CONTEXT": f"{project}/context"}


def typed(project: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """What comes of lines that are typed in the project's folder, after those by which BentoML is found."""
    script = "\n".join(["set -eu", *SETTING, lines])
    return subprocess.run(["bash", "-c", script], cwd=project, env=environment(project), capture_output=True, text=True)


@pytest.mark.slow
def test_what_is_imported_is_listed_told_of_and_exported_with_the_same_files(imported, bento):
    project, printed = imported
    info = yaml.safe_load((bento / "bento.yaml").read_text())
    assert re.search(rf"^ *inkwell:{info['version']} ", printed, re.MULTILINE)
    assert info["service"] in printed
    assert contents(project / "inkwell.bento") == contents(project / package.ARCHIVE)
    store = project / ".bentoml/bentos/inkwell" / info["version"]
    assert (store / "src/model.onnx").read_bytes() == (bento / "src/model.onnx").read_bytes()


def contents(packed: Path) -> dict[str, bytes]:
    """The files in a Bento that is one file."""
    with tarfile.open(packed) as archive:
        return {
            member.name.removeprefix("./"): opened.read()
            for member in archive.getmembers()
            if (opened := archive.extractfile(member))
        }


@pytest.mark.slow
def test_it_is_served_by_its_tag(imported):
    """By its folder all tests serve it."""
    project, _ = imported
    [line] = [line for line in SERVE if "inkwell:latest" in line]
    port = str(serve.free_port("127.0.0.1"))
    script = "\n".join(["set -eu", *SETTING, f"exec {line.replace('3000', port)}"])
    with (project / "log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=project,
            env=environment(project),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, "127.0.0.1", int(port), project / "log")
    try:
        wait_until(lambda: server.is_ready() or process.poll() is not None)
        assert httpx.get(f"{server.url}/model").json()["name"] == "toy", server.log.read_text()
    finally:
        serve.stop(process)


@pytest.mark.slow
def test_an_engine_is_given_the_bento_and_how_to_install_it(imported, bento):
    project, _ = imported
    done = typed(project, "\n".join(CONTAINER))
    assert done.returncode == 0, done.stderr
    build, run = (project / "context.asked").read_text().splitlines()
    assert re.match(r"build .*--tag inkwell:latest ", build)
    assert run.endswith("-e INKWELL_API_KEYS=correct-horse-battery inkwell:latest")
    for file in (package.INSTALLER, "env/python/requirements.txt", "src/model.onnx"):
        assert (project / "context" / file).read_bytes() == (bento / file).read_bytes(), file
    assert steps(project / "context") == steps(bento), "BentoML writes the Dockerfile anew"


def steps(folder: Path) -> list[str]:
    """What a Bento's Dockerfile runs, one after the other, whatever the engine is asked to keep between builds."""
    text = (folder / "env/docker/Dockerfile").read_text().replace("\\\n", "")
    return [re.sub(r"--mount=\S+ ", "", step).strip() for step in re.findall(r"^RUN (.*)$", text, re.MULTILINE)]


def test_the_image_installs_nothing_without_a_hash_and_no_compiler(bento):
    dockerfile = (bento / "env/docker/Dockerfile").read_text()
    assert not [step for step in steps(bento) if "apt-get" in step]
    brings = [step for step in steps(bento) if "pip install" in step and "command -v uv" not in step]
    assert [step.partition("pip install")[2].split()[-1] for step in brings] == [
        package.INSTALLER,
        "$BENTO_PATH/env/python/requirements.txt",
    ]
    assert dockerfile.index("ENV UV_REQUIRE_HASHES") < dockerfile.index("uv --directory")
    assert dockerfile.index("COPY --chown=bentoml:bentoml ./env/docker") < dockerfile.index(package.INSTALL_INSTALLER)
    assert (bento / "env/python/requirements.txt").read_text() == package.LOCK.read_text()
    for file, asked in (("env/python/requirements.txt", "bentoml"), (package.INSTALLER, "uv")):
        packages = [one for one in lock.split((bento / file).read_text()) if not one.startswith("#")]
        assert all("--hash=sha256:" in one for one in packages)
        assert asked in map(lock.name, packages)


@pytest.mark.slow
def test_what_the_image_installs_can_be_resolved_and_not_without_its_hashes(bento, tmp_path):
    """As its Dockerfile does, but that nothing is fetched but what packages say of themselves."""
    uv = str(Path(sys.executable).with_name("uv"))
    environ = {**os.environ, "VIRTUAL_ENV": str(tmp_path / "venv"), "UV_REQUIRE_HASHES": "1"}
    subprocess.run([uv, "venv", "--quiet", environ["VIRTUAL_ENV"]], check=True)
    dry = [uv, "pip", "install", "--dry-run", "--no-build", "-r"]
    locked = bento / "env/python/requirements.txt"
    done = subprocess.run([*dry, str(locked)], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    installed = set(re.findall(r"^ \+ (\S+==\S+)", done.stderr, re.MULTILINE))
    assert {f"bentoml=={version('bentoml')}", f"onnxruntime=={version('onnxruntime')}"} < installed
    assert installed <= {one.split()[0] for one in lock.split(locked.read_text())}
    bare = tmp_path / "bare.txt"
    bare.write_text(re.sub(r"(bentoml==\S+) \\\n(?: .*\n)+", r"\1\n", locked.read_text()))
    refused = subprocess.run([*dry, str(bare)], env=environ, capture_output=True, text=True)
    assert refused.returncode
    assert "bentoml" in refused.stderr
