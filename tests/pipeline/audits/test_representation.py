"""How the data are represented, and the contract that they must keep."""

import numpy as np
import pandas as pd
import pytest

from pipeline.audits.representation import (
    contract_sentence,
    contract_table,
    differences,
    hands_sentence,
    measure,
    splits_sentence,
    unfamiliar,
)
from tests.pipeline.audits.made_up import nameless

STYLES = ("thickness", "slant", "ink", "width", "height")


@pytest.fixture
def samples() -> pd.DataFrame:
    """A table of MNIST's size and counts, whose styles depend on nothing."""
    rng = np.random.default_rng(0)
    learnt = pd.concat(
        [written("employees", 30_950, 0, 289), written("students", 29_050, 2100, 250)], ignore_index=True
    )
    tested = pd.concat([written("students", 5_001, 2351, 249), written("employees", 4_999, 326, 48)], ignore_index=True)
    learnt["split"] = np.where(learnt["writer"] % 12 == 0, "val", "train")
    samples = pd.concat([learnt, tested.assign(split="test")], ignore_index=True)
    samples["source_row"] = np.r_[rng.permutation(60_000), np.arange(10_000)]
    samples["row"] = samples.groupby("split").cumcount()
    samples["label"] = rng.integers(0, 10, 70_000)
    samples["writer"] = samples["writer"].astype("Int32")
    return samples.assign(**{name: rng.normal(10, 2, 70_000) for name in STYLES}, components=1)


def written(population: str, images: int, first: int, writers: int) -> pd.DataFrame:
    return pd.DataFrame({"population": population, "writer": first + np.arange(images) % writers})


def by_split(samples: pd.DataFrame) -> pd.DataFrame:
    return differences(samples, samples["split"], [("test", "train"), ("val", "train")])


def by_population(samples: pd.DataFrame) -> pd.DataFrame:
    return differences(samples, samples["population"], [("students", "employees")])


def contract(samples: pd.DataFrame) -> pd.DataFrame:
    return contract_table(samples).set_index("fact")


def test_the_contract_holds_for_data_as_published(samples):
    section = measure(samples)
    assert (section.tables["The data contract"]["holds"] == "yes").all()
    assert "facts of the data contract hold" in section.findings[0]
    assert not section.gates


def test_a_writer_in_two_splits_is_named(samples):
    samples.loc[(samples["split"] == "val") & (samples["row"] % 2 == 0), "split"] = "train"
    samples["row"] = samples.groupby("split").cumcount()
    found = contract(samples)
    assert found.loc["writers in two splits", "holds"] == "NO"
    assert found["found"]["writers in two splits"] > 10
    sentence = contract_sentence(contract_table(samples))
    assert "BROKEN" in sentence
    assert "writers in two splits" in sentence


def test_populations_told_apart_by_the_wrong_half_are_noticed(samples):
    """The test file's first half was written by students, whatever the web page says."""
    test = samples["split"] == "test"
    samples.loc[test, "source_row"] = np.arange(10_000)[::-1]
    fact = "test images whose population is not that of their place in MNIST's file"
    assert contract(samples)["found"][fact] > 9_000


def test_a_population_left_out_and_an_image_used_twice_are_noticed(samples):
    half = samples[(samples["split"] == "test") | (samples["population"] == "employees")]
    assert contract(half).loc["images by students, training and validation", "holds"] == "NO"
    samples.loc[0, "source_row"] = samples.loc[1, "source_row"]
    assert contract(samples).loc["images of one file in two splits", "found"] == 1


def test_differences_of_style_are_told_in_standard_deviations(samples):
    samples.loc[samples["split"] == "test", "thickness"] += 2
    samples.loc[samples["population"] == "students", "slant"] -= 4
    splits, hands = by_split(samples), by_population(samples)
    assert splits["test minus training, SD"].iloc[0] == pytest.approx(1, abs=0.05)
    assert splits["validation minus training, SD"].iloc[0] == pytest.approx(0, abs=0.05)
    assert hands["students minus employees, SD"].iloc[1] == pytest.approx(-2, abs=0.05)
    assert "thickness (test, +" in splits_sentence(splits)
    assert "slant (-" in hands_sentence(hands)


def test_splits_and_populations_that_are_alike_are_not_told_apart(samples):
    assert "Validation and test are written like training" in splits_sentence(by_split(samples))
    assert "populations do not differ in style" in hands_sentence(by_population(samples))


def test_styles_that_training_hardly_holds_are_counted(samples):
    rare = samples["split"].eq("test") & samples["population"].eq("students") & (samples["row"] % 5 == 0)
    samples.loc[rare, "ink"] = 40
    row = unfamiliar(samples).set_index("style").loc["ink"]
    assert row["students"] == pytest.approx(20.8, abs=0.5)
    assert row["employees"] == pytest.approx(1, abs=0.5)


def test_a_source_without_writers_says_what_it_cannot_show(samples):
    samples = nameless(samples).assign(source_row=np.arange(70_000))
    section = measure(samples)
    assert any("not measurable" in finding for finding in section.findings)
    assert (section.tables["The data contract"]["holds"] == "yes").all()
    assert "writers" not in section.tables["Images of each split"]
