"""params.yaml: what is read of it and what is refused."""

import re
from pathlib import Path

import pytest

from pipeline.models.networks import ConvNet
from pipeline.params import ParamsError, Split, load

TEXT = Path("params.yaml").read_text()


@pytest.fixture
def edited(tmp_path: Path):
    """A function that writes params.yaml with one replacement and returns its path."""

    def edit(old: str, new: str) -> Path:
        text, count = re.subn(old, new, TEXT, count=1)
        assert count
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return path

    return edit


def test_sections_come_in_the_order_asked_for():
    split, width = load("data.split", "networks.convnet.width")
    assert isinstance(split, Split)
    assert isinstance(load("networks.convnet"), ConvNet)
    assert width == load("networks.convnet").width


def test_an_unknown_key_is_named_with_those_allowed(edited):
    with pytest.raises(ParamsError, match=r"networks\.convnet\.widht: unknown key; allowed here: .*width"):
        load("train", path=edited("    width: ", "    widht: "))


def test_an_unknown_key_far_down_is_named_too(edited):
    with pytest.raises(ParamsError, match=r"networks\.mlp\.augment\.rotat: unknown key; allowed here: rotate, scale"):
        load("train", path=edited(r"rotate: 7\.5", "rotat: 7.5"))


def test_an_unknown_key_of_an_entry_is_named_too(edited):
    with pytest.raises(ParamsError, match=r"refit\.convnet\.penality: unknown key; allowed here: forms, penalty"):
        load("train", path=edited("    penalty: ", "    penality: "))


def test_a_number_may_be_written_as_dvc_writes_a_small_one(edited):
    assert load("networks.perceptron.weight_decay", path=edited("weight_decay: [0-9.]+", "weight_decay: 1e-05")) == 1e-5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"    width: \d+", '    width: "32"', r"networks\.convnet\.width: .*integer.*'32'"),
        (r"    width: \d+", "    width: -1", r"networks\.convnet\.width: .*greater than 0.*-1"),
        ("    kind: convnet", "    kind: transformer", r"networks\.convnet: .*'perceptron', 'mlp', 'convnet'"),
        (r"convnet: 5\b", "convnet: 1", r"folds\.convnet: .*one fold leaves no writers .*not 1"),
        ("    qmnist:", "    emnist:", r"data\.mirrors: .*the mirrors of mnist and qmnist.*'emnist'"),
        (r"    all: 0\.2\n", "    mnist: 0.2\n", r"promote\.margin has no entry 'all'"),
        (r"withdrawn: \[\]", "withdrawn: [convnet]", r"promote\.withdrawn\.0: .*pattern.*'convnet'"),
        (r"  source: \S+", "  source: emnist", r"data\.source: .*'mnist', 'mnist-sample', 'uci-digits'.*'emnist'"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(edited, old, new, message):
    with pytest.raises(ParamsError, match=message):
        load("train", path=edited(old, new))


def test_a_missing_file_says_where_to_run(tmp_path):
    with pytest.raises(ParamsError, match="run from the repository's root"):
        load("train", path=tmp_path / "params.yaml")


def test_an_unknown_section_lists_the_known():
    with pytest.raises(ParamsError, match=r"no 'resnet' here; there is: .*convnet"):
        load("networks.resnet")


def test_parameters_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load("train").seed = 1
