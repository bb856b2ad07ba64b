import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import params, promote
from pipeline.promote import Model, decide
from tests.pipeline.tracking import last_version
from tests.pipeline.tracking import project as made_up

N = 1000
INSTALLED = ("model.onnx", "export.json", "run.json")


def model(
    network: str,
    wrong: Sequence[int] = (),
    source: str = "mnist",
    size: int = 10,
    failed: Sequence[str] = (),
    rows: int = N,
) -> Model:
    labels = np.arange(rows) % 10
    digits = (labels + np.isin(np.arange(rows), wrong)) % 10
    answers = pd.DataFrame({"row": np.arange(rows), "label": labels, "digit": digits})
    return Model(network, source, "key", f"sha256 of {network}", size, answers, list(failed))


def choose(candidates: list[Model], champion: Model | None = None) -> promote.Decision:
    return decide(candidates, champion, alpha=0.05, margin=0.01)


def test_the_most_accurate_on_validation_becomes_the_first_champion() -> None:
    decision = choose([model("mlp", range(3)), model("convnet", range(2)), model("perceptron", range(60))])
    assert decision.champion
    assert decision.champion.network == "convnet"
    assert decision.challenger
    assert decision.challenger.network == "mlp"
    assert decision.promoted


def test_a_tie_goes_to_the_smaller_model_and_then_to_the_name() -> None:
    small = choose([model("a", [1], size=20), model("b", [2], size=10)])
    name = choose([model("b", [1]), model("a", [2])])
    assert small.champion
    assert small.champion.network == "b"
    assert name.champion
    assert name.champion.network == "a"


def test_a_candidate_that_fails_a_gate_does_not_become_champion() -> None:
    decision = choose([model("mlp", range(3)), model("convnet", range(2), failed=["error is 1"])])
    assert decision.champion
    assert decision.champion.network == "mlp"


@pytest.mark.parametrize(
    ("candidate_only", "champion_only", "promoted"),
    [(0, 0, True), (0, 9, True), (5, 0, False), (4, 2, True), (30, 24, False), (24, 30, True), (30, 40, True)],
)
def test_a_candidate_takes_over_where_it_is_shown_to_be_as_good(
    candidate_only: int, champion_only: int, promoted: bool
) -> None:
    champion = model("old", range(champion_only))
    decision = choose([model("new", range(500, 500 + candidate_only))], champion)
    assert decision.promoted is promoted
    assert decision.champion
    assert decision.champion.network == ("new" if promoted else "old")
    assert decision.comparison
    assert (decision.comparison.candidate_only, decision.comparison.champion_only) == (candidate_only, champion_only)
    assert (decision.comparison.at_most <= 0.01) is promoted
    assert f"alone is wrong on {candidate_only} and the champion old alone on {champion_only}" in decision.why
    assert "1.00\u00a0pp are allowed" in decision.why
    if not promoted:
        assert decision.challenger
        assert decision.challenger.network == "new"


def test_on_little_data_a_network_of_more_errors_never_takes_over() -> None:
    """On the sample, 333 images, one of 98.5 % deposed one of 99.1 %, since nothing showed that it was worse."""
    rng = np.random.default_rng()
    margin = params.load("promote").margin_of("mnist-sample")
    for _ in range(50):
        images = int(rng.integers(300, 360))
        before = int(rng.integers(0, 6))
        wrong = rng.choice(images, size=before + int(rng.integers(1, 4)), replace=False).tolist()
        champion = model("old", rng.choice(images, size=before, replace=False).tolist(), rows=images)
        decision = decide([model("new", wrong, rows=images)], champion, alpha=0.05, margin=margin)
        assert decision.champion is champion


def test_equal_answers_are_enough_on_full_mnist_and_on_the_sample_but_not_on_fewer() -> None:
    rule = params.load("promote")
    for source, images, promoted in [("mnist", 5016, True), ("mnist-sample", 333, True), ("uci-digits", 120, False)]:
        old, new = (model(name, [3], source=source, rows=images) for name in ("old", "new"))
        assert decide([new], old, rule.alpha, rule.margin_of(source)).promoted is promoted


@pytest.mark.parametrize("passed", [False, True])
def test_what_was_rolled_back_is_not_crowned_again(passed: bool) -> None:
    champion, back = model("old", range(9)), model("new", range(2))
    others = [model("other", range(30))] if passed else []
    decision = decide([back, *others], champion, 0.05, 0.01, withdrawn=[back.version])
    assert decision.champion is champion
    assert f"new {back.version} was rolled back" in decision.why
    assert decide([back, *others], champion, 0.05, 0.01, withdrawn=["another"]).champion is back


def test_the_same_bytes_stay_champion() -> None:
    decision = choose([model("convnet", range(2))], model("convnet", range(2)))
    assert not decision.promoted
    assert decision.champion
    assert decision.champion.network == "convnet"
    assert decision.comparison is None


def test_a_champion_of_another_source_is_replaced() -> None:
    decision = choose([model("new", range(50))], model("old", source="uci-digits"))
    assert decision.promoted
    assert decision.champion
    assert decision.champion.network == "new"
    assert "trained on uci-digits: the two cannot be compared" in decision.why


@pytest.mark.parametrize(("errors", "promoted"), [(6, False), (1, True)])
def test_a_champion_that_knows_other_validation_images_is_held_against_two_samples(errors: int, promoted: bool) -> None:
    champion = model("old", range(7), rows=N // 2)
    decision = choose([model("new", range(5 * errors))], champion)
    assert decision.promoted is promoted
    assert decision.comparison
    assert not decision.comparison.paired
    assert f"other validation images, of 500 it gets 7 wrong, new {5 * errors} of 1,000" in decision.why


@pytest.mark.parametrize(("source", "stays"), [("mnist", True), ("uci-digits", False)])
def test_where_no_candidate_passes_only_a_champion_of_the_same_source_stays(source: str, stays: bool) -> None:
    decision = choose([model("new", failed=["error is 1"])], model("old", source=source))
    assert not decision.promoted
    assert (decision.champion is not None) is stays


def test_the_stage_installs_the_champion_and_says_why(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promote.main([])
    best = project / "models/best"
    assert {path.name for path in best.iterdir()} == {*INSTALLED, "val.parquet", "verdicts.json"}
    for name in INSTALLED:
        assert (best / name).read_bytes() == (project / "models/candidates/convnet" / name).read_bytes()
    assert (best / "verdicts.json").read_bytes() == (project / "reports/verdicts/convnet.json").read_bytes()
    report = json.loads((project / "reports/promotion.json").read_text())
    assert report["champion"]["network"] == "convnet"
    assert report["champion"]["validation_errors"] == 4
    assert [one["network"] for one in report["candidates"]] == made_up.NETWORKS
    said = capsys.readouterr().out
    assert "convnet is the first champion" in said
    assert "not measurable on mnist-sample" in said


def test_the_model_card_is_about_the_champion_that_is_served(project: Path) -> None:
    promote.main([])
    card = (project / "reports/model_card.md").read_text()
    sha256 = json.loads((project / "reports/promotion.json").read_text())["champion"]["model_sha256"]
    assert sha256 in card
    assert "| Errors: test images misclassified | 1.00\u00a0% |" in card
    made_up.train(project, "convnet", gain=0.3)
    made_up.evaluate(project, "convnet", 30, first=100)
    made_up.audit(project, "convnet", error=0.03)
    promote.main([])
    later = (project / "reports/model_card.md").read_text()
    assert sha256 in later
    assert "| Errors: test images misclassified | 1.00\u00a0% |" in later
    assert "30 are misread by the\ncandidate alone and 4 by the champion alone" in later


def test_a_champion_that_is_audited_again_has_the_new_verdicts(project: Path) -> None:
    promote.main([])
    made_up.audit(project, "convnet", error=0.02)
    promote.main([])
    assert "| Errors: test images misclassified | 2.00\u00a0% |" in (project / "reports/model_card.md").read_text()


def test_the_stage_reads_three_folders_and_nothing_of_the_test_set(project: Path) -> None:
    for folder in ("data", "models/trained", "reports/evaluate", "reports/audit"):
        shutil.rmtree(project / folder)
    promote.main([])


def test_a_network_that_is_no_candidate_any_more_leaves_nothing_that_counts(project: Path) -> None:
    folders = [project / name for name in ("models/candidates", "reports/validation", "reports/verdicts")]
    for folder in folders:
        (folder / ".gitignore").write_text("DVC's own")
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("- convnet\n", ""))
    promote.main([])
    assert [sorted(path.name for path in folder.iterdir()) for folder in folders] == [
        [".gitignore", "perceptron"],
        [".gitignore", "perceptron.parquet"],
        [".gitignore", "perceptron.json"],
    ]
    report = json.loads((project / "reports/promotion.json").read_text())
    assert [one["network"] for one in report["candidates"]] == ["perceptron"]
    assert report["champion"]["network"] == "perceptron"


def test_a_champion_of_the_last_version_stays_with_what_its_audit_found(project: Path) -> None:
    promote.main([])
    best = project / "models/best"
    before = json.loads((best / "verdicts.json").read_text())
    last_version.take_back(best)
    made_up.train(project, "convnet", gain=0.3)
    made_up.evaluate(project, "convnet", 30, first=100)
    promote.main([])
    report = json.loads((project / "reports/promotion.json").read_text())
    assert report["champion"]["validation_errors"] == 4
    assert not (best / "audit.json").exists()
    after = json.loads((best / "verdicts.json").read_text())
    assert {key: after[key] for key in ("network", "source", "version", "gates")} == {
        key: before[key] for key in ("network", "source", "version", "gates")
    }
    card = (project / "reports/model_card.md").read_text()
    assert "| Errors: test images misclassified | 1.00\u00a0% |" in card
    assert "- What the folds found." in card


def test_two_clean_runs_write_the_same_bytes(project: Path) -> None:
    reports = []
    for _ in range(2):
        shutil.rmtree(project / "models/best", ignore_errors=True)
        promote.main([])
        reports.append([(project / "reports" / name).read_bytes() for name in ("promotion.json", "model_card.md")])
    assert reports[0] == reports[1]


def test_a_worse_candidate_leaves_the_champion_in_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promote.main([])
    before = {path.name: path.read_bytes() for path in (project / "models/best").iterdir()}
    made_up.train(project, "convnet", gain=0.3)
    made_up.evaluate(project, "convnet", 30, first=100)
    promote.main([])
    assert {path.name: path.read_bytes() for path in (project / "models/best").iterdir()} == before
    assert "convnet stays champion, convnet is not shown to be as good" in " ".join(capsys.readouterr().out.split())
    report = json.loads((project / "reports/promotion.json").read_text())
    assert report["comparison"]["candidate_only"] == 30
    assert report["comparison"]["champion_only"] == 4


def test_without_a_champion_and_a_candidate_the_stage_fails_and_says_what_was_missed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for network in made_up.NETWORKS:
        made_up.audit(project, network, error=0.08)
    with pytest.raises(SystemExit) as stopped:
        promote.main([])
    assert stopped.value.code == 1
    assert not (project / "models/best").exists()
    said = " ".join(capsys.readouterr().out.split())
    assert "convnet failed a gate: Errors (error): 8.00 %, must be at most 5.00 %, missed by 3.00 %. Some err." in said
    assert "reports/audit/convnet/index.html" in said
    assert "No network may be served" in (project / "reports/model_card.md").read_text()


def test_a_champion_that_a_dead_process_was_replacing_is_put_back(project: Path) -> None:
    promote.main([])
    best = project / "models/best"
    before = {path.name: path.read_bytes() for path in best.iterdir() if path.name != "verdicts.json"}
    best.rename(project / "models/.best.old")
    for network in made_up.NETWORKS:
        made_up.audit(project, network, error=0.08)
    promote.main([])
    assert {path.name: path.read_bytes() for path in best.iterdir() if path.name != "verdicts.json"} == before
    assert not (project / "models/.best.old").exists()


def test_networks_of_another_source_are_refused(project: Path) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("source: mnist-sample", "source: uci-digits"))
    with pytest.raises(ValueError, match=r"trained on mnist-sample, not uci-digits"):
        promote.main([])
