"""What DVC shows people of a run, of its changes and of experiments: short, without a warning, without the internet."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib import image

from pipeline import params, paths
from tests.pipeline.workspace import ROOT, dvc_repo

CANDIDATES: list[str] = params.load("candidates")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
WIDTH = 120
"""Columns of a terminal."""
README = (ROOT / "README.md").read_text()

pytestmark = pytest.mark.slow


class Shown:
    """A project in git and DVC with the metrics and pictures of a run, and an experiment that trained wider."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
            shutil.copy(ROOT / name, folder)
        self.run("git", "init", "--quiet", "--initial-branch=main")
        self.run("git", "config", "user.name", "t")
        self.run("git", "config", "user.email", "t@localhost")
        repo = dvc_repo(folder)
        rng = np.random.default_rng()
        for network in CANDIDATES:
            self.measure(network, float(rng.uniform(0.9, 0.999)))
            for name in STAGES["evaluate"]["plots"]:
                path = folder / name.replace("${item.network}", network)
                path.parent.mkdir(parents=True, exist_ok=True)
                image.imsave(path, rng.integers(0, 256, (8, 8, 3), np.uint8))
        entries = {Path(entry.fs_path) for stage in repo.index.stages for entry in (*stage.deps, *stage.outs)}
        for path in sorted(entries, reverse=True):  # a folder after what a stage reads in it
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(path.name)
        with chdir(folder):
            repo.commit(force=True)
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "run")
        self.changed = CANDIDATES[-1]
        text = (folder / "params.yaml").read_text()
        wider, count = re.subn(rf"(?s)(\n  {self.changed}:.*?\n    learning_rate: )\S+", r"\g<1>0.0123", text, count=1)
        assert count
        (folder / "params.yaml").write_text(wider)
        self.measure(self.changed, float(rng.uniform(0.9, 0.999)))
        self.run("dvc", "exp", "save", "--name", "slack-toea")

    def measure(self, network: str, accuracy: float) -> None:
        """Write the metrics that evaluate and judge write of a network."""
        fails = int(np.random.default_rng().integers(0, 24))
        for stage, value in (("evaluate", {network: accuracy}), ("judge", {f"{network}.fails": fails})):
            for entry in STAGES[stage]["metrics"]:
                path = self.folder / next(iter(entry)).replace("${item.network}", network)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(value))

    def run(self, *command: str) -> str:
        """Run a command in a terminal as wide as that, and return what it printed. It must not warn."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
        environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": str(WIDTH)}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown(tmp_path_factory.mktemp("shown"))


METRICS = [metric for suffix in ("", ".fails") for metric in (f"{network}{suffix}" for network in CANDIDATES)]


def test_the_stages_write_the_metrics_that_dvc_shows() -> None:
    [[accuracy]], [[fails]] = ([list(entry) for entry in STAGES[stage]["metrics"]] for stage in ("evaluate", "judge"))
    assert accuracy == f"{paths.ACCURACY}/${{item.network}}.json"
    assert fails == f"{paths.GATES}/${{item.network}}.json"
    assert sum("metrics" in stage for stage in STAGES.values()) == 2


def test_experiments_show_all_metrics_in_the_width_of_a_terminal(shown: Shown) -> None:
    """The pager cuts off what is wider: the other parameters, and the hashes of what the stages read."""
    table = [line[:WIDTH] for line in shown.run("dvc", "exp", "show").splitlines()]
    assert table[1].split()[: 2 + len(METRICS)] == ["Experiment", "Created", *METRICS]
    assert "[slack-toea]" in table[-2]


def test_the_readmes_line_shows_what_differs_and_no_more(shown: Shown) -> None:
    [line] = re.findall(r"`(dvc exp show [^`]+)`", README)
    table = shown.run("sh", "-c", f"{line} --no-pager").splitlines()
    assert max(map(len, table)) <= WIDTH
    learning_rate = f"networks.{shown.changed}.learning_rate"
    assert table[1].split()[2:] == [name for name in METRICS if name.split(".")[0] == shown.changed] + [learning_rate]
    assert not any("…" in line for line in table)


@pytest.mark.parametrize("what", ["metrics", "params"])
def test_differences_are_shown_without_a_warning(shown: Shown, what: str) -> None:
    shown.run("git", "checkout", "--quiet", "main")
    said = shown.run("dvc", what, "diff", "main", "slack-toea")
    assert shown.changed in said


def test_metrics_are_a_few_columns(shown: Shown) -> None:
    said = shown.run("dvc", "metrics", "show").splitlines()
    assert sorted(said[0].split()) == sorted(["Path", *METRICS])
    assert max(map(len, said)) <= WIDTH


class Sources(HTMLParser):
    """What a page loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value for name, value in attrs if name in ("src", "href") and value]


def test_plots_of_every_network_are_shown_without_the_internet(shown: Shown) -> None:
    shown.run("dvc", "plots", "show")
    page = shown.folder / "dvc_plots/index.html"
    loaded = Sources(page.read_text()).loaded
    assert len(loaded) == len(CANDIDATES) * len(STAGES["evaluate"]["plots"]) + len(STAGES["show"]["plots"])
    assert all((page.parent / source).is_file() for source in loaded)
    for network in CANDIDATES:
        assert sum(network in source for source in loaded) == len(STAGES["evaluate"]["plots"])
