import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline import compare
from pipeline.audits.statistics import Comparison, mcnemar
from pipeline.tracking import exports, find, runs, store
from tests.pipeline.tracking import project as made_up

ERRORS = {"perceptron": 40, "convnet": 4}


@pytest.fixture
def published(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two networks' runs in MLflow, the ConvNet's model the champion, and the images that they answered."""
    rng = np.random.default_rng()
    for network in made_up.NETWORKS:
        runs.publish_evaluation(network)
    for split in ("val", "test"):
        folder = project / "data/processed" / split
        np.save(folder / "images.npy", rng.integers(0, 256, (made_up.IMAGES, 28, 28), dtype=np.uint8))
        np.save(folder / "labels.npy", (np.arange(made_up.IMAGES) % 10).astype(np.uint8))
    client = store.open_store()
    name = exports.registered_model(client, made_up.SOURCE)
    client.set_registered_model_alias(name, "champion", "2")
    return project


@pytest.mark.slow
def test_two_runs_are_shown_side_by_side(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client = store.open_store()
    asked = ["perceptron", f"models:/inkwell-{made_up.SOURCE}@champion"]
    found = [find.find(client, one, made_up.SOURCE) for one in asked]
    assert [one.network for one in found] == made_up.NETWORKS
    for other in (found[0].run.info.run_id, found[0].run.info.run_id[:8], found[0].name):
        assert find.find(client, other, made_up.SOURCE).run.info.run_id == found[0].run.info.run_id
    for suffix in ("html", "png"):
        compare.main([*asked, "--out", f"compared.{suffix}"])
    said = capsys.readouterr().out
    assert re.search(r"kind +│ perceptron +│ convnet", said)
    assert not re.search(r"train\.seed", said), "the same for both"
    wrong = [np.arange(made_up.IMAGES) < count for count in ERRORS.values()]
    expected: Comparison = mcnemar(*wrong)
    assert said.count(f"{expected.p:.3g}") >= 4, "on validation and on test, printed twice"
    assert (
        f"{found[1].name} alone gets 36 that {found[0].name} does not: 4 (4, taken for 5), 5 (5, taken for 6)" in said
    )
    page = Path("compared.html").read_text()
    assert page.count("<img") == 3, "curves, and what the ConvNet alone gets on both splits"
    assert not re.search(r"(?:src|href)=.?http", page)
    assert Image.open("compared.png").height > 1000


def test_another_name_is_answered_by_those_that_there_are(published: Path) -> None:
    run = find.find(store.open_store(), "convnet", made_up.SOURCE)
    for asked, said in (
        ("nope", run.name),
        ("models:/inkwell-mnist-sample@nobody", "inkwell-mnist-sample"),
        ("models:/inkwell-mnist-sample", "models:/NAME@ALIAS"),
    ):
        with pytest.raises(SystemExit, match=re.escape(said)):
            compare.main(["convnet", asked])
    with pytest.raises(SystemExit):
        compare.main(["convnet", "convnet", "--out", "compared.pdf"])


def test_a_version_whose_answers_are_no_more_is_told(published: Path) -> None:
    made_up.export(published, "convnet", 0.4)
    runs.publish_evaluation("convnet")
    client = store.open_store()
    assert "later export" in find.find(client, "models:/inkwell-mnist-sample@champion", made_up.SOURCE).notes[0]
    assert find.find(client, "models:/inkwell-mnist-sample/3", made_up.SOURCE).notes == []
