"""The register of what people send."""

import ast
from pathlib import Path

import numpy as np
import pytest

from pipeline.audits.inputs import as_sent
from pipeline.audits.inputs.as_sent import KINDS, STRENGTHS, sent
from pipeline.audits.inputs.as_sent.kind import kind
from tests.pipeline.audits.inputs.as_sent.pictures import digits, opened


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_a_file_of_its_own_for_each_place_and_strength_and_the_same_each_time(name):
    rng = np.random.default_rng(15)
    digit, seed = digits(rng, 1)[0], int(rng.integers(2**32))
    files = set()
    for strength in range(1, STRENGTHS + 1):
        for place in range(2):
            file = sent(name, strength, seed, digit, place)
            assert file == sent(name, strength, seed, digit, place)
            width, height = opened(file).size
            assert 8 <= min(width, height) <= max(width, height) <= 500
            files.add(file)
    assert len(files) == 2 * STRENGTHS


def test_there_are_enough_kinds_and_few_for_which_silence_is_right():
    assert len(KINDS) >= 24
    assert {name for name, one in KINDS.items() if one.lenient} == {"hard shadow", "dithered", "note on a table"}
    assert not any("/" in name for name in KINDS)


def test_it_shares_no_code_with_what_prepares_pictures_or_learns_from_them():
    """What every file of it imports, by the first two parts of the name."""
    trees = [ast.parse(path.read_text()) for path in Path(str(as_sent.__file__)).parent.glob("*.py")]
    modules = {str(node.module) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert len(modules) > 5
    inside = {name for name in modules if name.startswith(("pipeline", "serving"))}
    assert all(name.startswith("pipeline.audits.inputs.as_sent") for name in inside)


def test_a_kind_has_three_strengths(monkeypatch):
    monkeypatch.setattr("pipeline.audits.inputs.as_sent.kind.KINDS", {})
    with pytest.raises(ValueError, match="values to unpack"):
        kind("two strengths", "", 1, 2)(lambda digit, strength, rng: b"")
