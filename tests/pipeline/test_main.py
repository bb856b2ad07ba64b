import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline import __main__ as command
from pipeline.tracking import registry
from tests.pipeline.test_clone import git
from tests.pipeline.tracking import project as made_up


def test_a_candidate_without_an_entry_stops_the_command_before_any_stage(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was run"))
    text = (built / "params.yaml").read_text().replace("- convnet\n", "- convnet\n- resnet\n")
    Path("params.yaml").write_text(text)
    with pytest.raises(SystemExit, match=r"resnet is a candidate without an entry under networks: .*under gates: "):
        command.main(["uci-digits"])
    assert Path("params.yaml").read_text() == text


@pytest.mark.parametrize("gates", ["  convnet: {}\n", ""])
def test_a_network_that_is_no_candidate_is_said_to_be_left_out_whether_it_has_gates_or_not(
    gates: str, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    text = (built / "params.yaml").read_text().replace("- convnet\n", "")
    assert "  convnet: {}\n" in text
    Path("params.yaml").write_text(text.replace("  convnet: {}\n", gates))
    with pytest.raises(SystemExit, match="stopped at the stage"):
        command.main(["uci-digits"])
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"not among the candidates of params.yaml: [^.]*\bconvnet\b", said)


def test_a_champion_that_an_experiment_left_is_told_to_mlflow_by_the_next_run(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    shutil.copy(built / "params.yaml", tmp_path)
    for left_by_one in (False, True):
        registry.TOLD.write_text("the stage crown's output")
        if left_by_one:
            registry.LEFT.write_text("slack-toea")
        with pytest.raises(SystemExit):
            command.main(["uci-digits"])
        assert registry.TOLD.exists() is not left_by_one


def test_the_results_are_those_of_the_candidates_and_their_verdicts(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    champion = {"network": "convnet"}
    promotion = {"source": "mnist-sample", "champion": champion, "candidates": [champion, {"network": "perceptron"}]}
    made_up.evaluate(tmp_path, "a-network-of-before", 3)
    columns = [list(column.cells) for column in command.results(promotion).columns]
    assert columns[0] == ["convnet", "perceptron"]
    assert columns[2] == ["98.00%", "80.00%"]
    assert columns[3] == ["[green]1 passed[/], 1 not measurable"] * 2
    assert columns[4] == ["champion", ""]


def test_gates_that_were_failed_are_named() -> None:
    gates = [{"name": "error", "status": "failed"}, {"name": "canvas", "status": "close"}]
    assert command.verdict(gates) == "[red]failed: error[/]"
    assert command.verdict(gates[1:]) == "[green]1 passed[/]"


def test_a_run_on_another_source_says_what_is_served_and_how_to_go_back() -> None:
    said = command.next_steps("mnist-sample", ["dvc.lock"])
    assert "make serve DATA=mnist-sample" in said
    assert "serves the champion of mnist as before" in said
    assert "git restore params.yaml dvc.lock reports" in said
    assert "dvc pull dist models/best" in said
    assert "DATA=" not in command.next_steps("mnist", [])


def test_what_changed_is_what_the_project_has_not_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "of many/digits"
    project.mkdir(parents=True)
    for name in ("../beside.txt", "params.yaml", "kept.txt"):
        (project / name).write_text("before")
    monkeypatch.chdir(project)
    assert command.changed() == []  # of what git does not know
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    assert command.changed() == []
    for name in ("../beside.txt", "params.yaml", "brand-new über.txt"):
        (project / name).write_text("after")
    assert sorted(command.changed()) == ["brand-new über.txt", "params.yaml"]
