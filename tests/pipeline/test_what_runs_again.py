"""What an edit makes run again and what it leaves alone, read from `dvc status` in a copy with made-up outputs."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from contextlib import chdir
from pathlib import Path

import networkx as nx
import pytest
from dvc.repo import Repo

from pipeline import params
from tests.pipeline.workspace import ROOT, dvc_repo

CANDIDATES: list[str] = params.load("candidates")
LEARNING = {"train", "cross_validate"}
COPIED = (
    *("dvc.yaml", "params.yaml", "requirements.lock", "requirements-serve.lock"),
    *("pipeline", "serving", "texts/params.yaml", ".dvcignore"),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which every stage has just run: its outputs are made up, and locked."""
    folder = tmp_path_factory.mktemp("settled")
    for name in COPIED:
        source = ROOT / name
        copy: Callable[..., object] = shutil.copytree if source.is_dir() else shutil.copy2
        (folder / name).parent.mkdir(exist_ok=True)
        copy(source, folder / name, **({"ignore": shutil.ignore_patterns("__pycache__")} if source.is_dir() else {}))
    repo = dvc_repo(folder, scm=False)
    made = [Path(out.fs_path) for stage in repo.index.stages for out in stage.outs]
    for path in made:
        if path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(path.name)
        else:
            path.mkdir(parents=True, exist_ok=True)
            (path / "made-up").write_text(path.name)
    with chdir(folder):
        repo.commit(force=True)
    assert not stale(folder)
    return folder


@pytest.fixture
def project(settled: Path, tmp_path: Path) -> Path:
    """A copy of the settled project, to be edited."""
    return Path(shutil.copytree(settled, tmp_path / "project", symlinks=True))


def stale(project: Path) -> set[str]:
    """The stages that `dvc status` calls changed."""
    with chdir(project):
        return set(Repo().status())


def with_what_follows(project: Path, names: set[str]) -> set[str]:
    """The stages, and all that may change because of them."""
    with chdir(project):
        graph = Repo().index.graph.reverse()
        addressed = {stage.addressing: stage for stage in graph}
        return names.union(*({one.addressing for one in nx.descendants(graph, addressed[name])} for name in names))


def edit(project: Path, name: str, old: str, new: str) -> None:
    """Replace what the regular expression ``old`` finds first in a file."""
    path = project / name
    text = path.read_text()
    changed = re.sub(old, new, text, count=1)
    assert changed != text
    path.write_text(changed)


def comment(project: Path, name: str) -> None:
    """Add a line to a file that says nothing."""
    with (project / name).open("a") as file:
        file.write("\n" if name.endswith(".txt") else "# a comment\n")


def each(*stages: str, networks: Iterable[str] = CANDIDATES) -> set[str]:
    return {f"{stage}@{network}" for stage in stages for network in networks}


@pytest.mark.parametrize("name", ["abstention", "novelty", "miscoverage"])
def test_calibration_exports_again_and_trains_nothing(project, name):
    edit(project, "params.yaml", rf"  {name}: \S+", f"  {name}: 0.0123")
    assert stale(project) == each("export", "cross_predict")
    following = with_what_follows(project, stale(project))
    assert each("evaluate", "audit", "judge") | {"promote", "package"} <= following
    assert not following & each(*LEARNING)


def test_a_gate_of_one_network_judges_it_again_and_asks_nothing(project):
    edit(project, "params.yaml", r"(?s)(  mlp:\n    all:\n      error: )\S+", r"\g<1>0.0123")
    assert stale(project) == {"judge@mlp"}
    assert with_what_follows(project, stale(project)) == {"judge@mlp", "promote", "crown", "show", "package"}


def test_a_default_gate_judges_all_again_and_asks_nothing(project):
    edit(project, "params.yaml", r"(  default:\n    all:\n      error: )\S+", r"\g<1>0.0123")
    assert stale(project) == each("judge")


@pytest.mark.parametrize(
    "name", ["pipeline/report/templates/sections/style.txt", "pipeline/report/figures/style.py", "pipeline/judge.py"]
)
def test_a_sentence_or_a_figure_judges_again_and_asks_nothing(project, name):
    comment(project, name)
    assert stale(project) == each("judge")


def test_a_corruption_asks_and_judges_again_and_trains_nothing(project):
    comment(project, "pipeline/audits/inputs/corruptions.py")
    assert stale(project) == each("audit", "judge")
    assert not with_what_follows(project, stale(project)) & each("train", "export", "cross_validate", "cross_predict")


def test_a_preset_runs_its_own_stages_and_the_choice_and_nothing_of_the_others(project):
    edit(project, "params.yaml", r"(candidates:.*\n)", r"\1- small\n")
    edit(project, "params.yaml", r"gates:(.*)\n", r"gates:\1\n  small: {}\n")
    entry = "kind: mlp, hidden: [8], dropout: 0.0, epochs: 1, batch_size: 64, learning_rate: 0.01, weight_decay: 0.0"
    edit(project, "params.yaml", r"networks:\n", f"networks:\n  small: {{ {entry} }}\n")
    own = each("train", "export", "evaluate", "cross_validate", "cross_predict", "audit", "judge", networks=["small"])
    assert stale(project) == own | {"promote", "show"}


def test_a_name_that_is_no_candidate_any_more_makes_the_choice_anew_and_what_is_shown(project):
    edit(project, "params.yaml", r"- perceptron\n", "")
    assert stale(project) == {"promote", "show"}


def test_a_hyperparameter_trains_its_own_network_alone(project):
    edit(project, "params.yaml", r"(?s)(  mlp:.*?dropout: )\S+", r"\g<1>0.123")
    assert stale(project) == each("train", "cross_validate", networks=["mlp"])


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("pipeline/artifact/quantise.py", each("export", "cross_predict")),
        ("pipeline/models/load.py", each("export", "cross_predict", "audit", "judge") | {"show"}),
        ("pipeline/audits/selftest.py", each("judge")),
        ("pipeline/evaluate.py", each("evaluate")),
        ("pipeline/params.py", set()),
        ("pipeline/tracking/runs.py", set()),
        ("pipeline/audit_service.py", set()),
    ],
)
def test_a_comment_in_a_file_that_no_training_imports_trains_nothing(project, name, stages):
    comment(project, name)
    assert stale(project) == stages


@pytest.mark.parametrize("name", ["pipeline/models/fit.py", "pipeline/models/networks.py"])
def test_what_a_training_imports_trains_again(project, name):
    comment(project, name)
    assert each(*LEARNING) <= stale(project)


def test_dvc_itself_says_so(project):
    """`dvc status` on the command line, as a user reads it."""
    edit(project, "params.yaml", r"  abstention: \S+", "  abstention: 0.0123")
    done = subprocess.run(["dvc", "status"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "export@convnet" in done.stdout
    assert "train@" not in done.stdout
