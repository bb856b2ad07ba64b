"""params.yaml and dvc.yaml stand as DVC writes them: what it changes is one line, and the comments stay.

It writes every list of params.yaml with an item a line, and drops comments within and right after a list; in both files
`{a: 1}` has no spaces within and is broken after 80 columns.
"""

import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import modify_yaml

ROOT = Path(__file__).parents[1]


def changed_lines(before: str, after: str) -> list[str]:
    """The lines of `after` that differ from those of `before`, of which there must be as many."""
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    return [other for one, other in lines if one != other]


@pytest.mark.parametrize("override", ["data.split.seed=5", "networks.convnet.width=5", "promote.margin.all=1"])
def test_an_experiment_changes_one_line_of_params(override, tmp_path):
    """As `dvc exp run -S` does it."""
    path = Path(shutil.copy(ROOT / "params.yaml", tmp_path))
    before = path.read_text()
    apply_overrides(path, [override])
    [line] = changed_lines(before, path.read_text())
    key, value = override.rpartition(".")[-1].split("=")
    assert line.strip().startswith(f"{key}: {value}")


def test_a_stage_whose_command_changes_is_one_line_of_the_graph(tmp_path):
    path = Path(shutil.copy(ROOT / "dvc.yaml", tmp_path))
    before = path.read_text()
    with modify_yaml(path) as graph:
        graph["stages"]["download"]["cmd"] = "echo"
    assert changed_lines(before, path.read_text()) == ["    cmd: echo"]
