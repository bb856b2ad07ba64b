"""The rule of a person tells most 0s from 1s, and the command says how many."""

import re

import numpy as np
import pytest

from pipeline import by_hand
from pipeline.texts import data, params, rule


def test_ink_in_the_middle_is_a_1_and_beside_it_a_0():
    bar, ring = np.zeros((2, 8, 8), np.uint8)
    column = np.random.default_rng().integers(3, 5)
    bar[1:7, column] = 200
    ring[1:7, 2:6] = 200
    ring[2:6, 3:5] = 0
    assert rule.answers(np.stack([bar, ring])).tolist() == [1, 0]
    assert rule.weights().sum() == 0


def test_the_command_says_how_far_the_rule_gets(capsys, tmp_path):
    by_hand.main(["--png", str(tmp_path / "weights.png")])
    told = capsys.readouterr().out
    assert ". . - + + - . ." in told
    images, labels = data.load("zero_or_one", "test", params.load().split)
    right = rule.answers(images) == labels
    [(share, zeros, of_zeros, ones, of_ones)] = re.findall(
        r"test: (\S+)% right; (\d+) of (\d+) 0s, (\d+) of (\d+) 1s", told
    )
    assert float(share) == pytest.approx(100 * right.mean(), abs=0.05)
    assert [int(zeros), int(ones)] == [right[labels == digit].sum() for digit in (0, 1)]
    assert [int(of_zeros), int(of_ones)] == np.bincount(labels).tolist()
    assert right.mean() > 0.9
    assert (tmp_path / "weights.png").read_bytes().startswith(b"\x89PNG")
