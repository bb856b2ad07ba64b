"""How the data are represented, and the contract that they must keep."""

import numpy as np
import pandas as pd
import pytest

from pipeline.audits.representation import contract_table, differences, measure, unfamiliar
from pipeline.report.sections import Section, write
from tests.pipeline.audits.made_up import handwriting, nameless, results, thresholds

STYLES = ("thickness", "slant", "ink", "width", "height")


@pytest.fixture
def samples() -> pd.DataFrame:
    """A table of MNIST's size and counts, whose styles depend on nothing."""
    rng = np.random.default_rng(0)
    learnt = pd.concat(
        [authored("employees", 30_950, 0, 289), authored("students", 29_050, 2100, 250)], ignore_index=True
    )
    tested = pd.concat(
        [authored("students", 5_001, 2351, 249), authored("employees", 4_999, 326, 48)], ignore_index=True
    )
    learnt["split"] = np.where(learnt["writer"] % 12 == 0, "val", "train")
    samples = pd.concat([learnt, tested.assign(split="test")], ignore_index=True)
    samples["source_row"] = np.r_[rng.permutation(60_000), np.arange(10_000)]
    samples["row"] = samples.groupby("split").cumcount()
    samples["label"] = rng.integers(0, 10, 70_000)
    samples["writer"] = samples["writer"].astype("Int32")
    return samples.assign(**{name: rng.normal(10, 2, 70_000) for name in STYLES}, components=1)


def authored(population: str, images: int, first: int, writers: int) -> pd.DataFrame:
    return pd.DataFrame({"population": population, "writer": first + np.arange(images) % writers})


def apart(samples: pd.DataFrame, column: str, first: str, second: str) -> pd.Series:
    return differences(samples, samples[column], [(first, second)]).set_index("style")["difference"]


def contract(samples: pd.DataFrame) -> pd.DataFrame:
    return contract_table(samples, "mnist").set_index("fact")


def written(samples: pd.DataFrame, source: str = "mnist") -> Section:
    tested = handwriting(np.random.default_rng(0), students=1, employees=1)
    asked = results(tested, np.zeros(len(tested), bool))
    return write("representation", asked, measure(samples, source), thresholds())


def test_the_contract_holds_for_data_as_published(samples):
    section = written(samples)
    assert (section.tables["contract"][1]["holds"] == "yes").all()
    assert "All 14 facts of the data contract hold" in section.findings["contract"][0]
    assert not section.sentences
    assert set(section.figures) == {"by_split", "by_population"}


def test_a_writer_in_two_splits_is_named(samples):
    samples.loc[(samples["split"] == "val") & (samples["row"] % 2 == 0), "split"] = "train"
    samples["row"] = samples.groupby("split").cumcount()
    found = contract(samples)
    assert found.loc["writers in two splits", "holds"] == "NO"
    assert found["found"]["writers in two splits"] > 10
    (sentence,) = written(samples).findings["contract"]
    assert "BROKEN" in sentence
    assert "writers in two splits" in sentence


def test_populations_told_apart_by_the_wrong_half_are_noticed(samples):
    """The test file's first half was written by students, whatever the web page says."""
    test = samples["split"] == "test"
    samples.loc[test, "source_row"] = np.arange(10_000)[::-1]
    fact = "test images whose population is not that of their place in the file"
    assert contract(samples)["found"][fact] > 9_000


def test_a_population_left_out_and_an_image_used_twice_are_noticed(samples):
    half = samples[(samples["split"] == "test") | (samples["population"] == "employees")]
    assert contract(half).loc["images by students, training and validation", "holds"] == "NO"
    samples.loc[0, "source_row"] = samples.loc[1, "source_row"]
    assert contract(samples).loc["images of one file in two splits", "found"] == 1


def test_differences_of_style_are_told_in_standard_deviations(samples):
    samples.loc[samples["split"] == "test", "thickness"] += 2
    samples.loc[samples["population"] == "students", "slant"] -= 4
    assert apart(samples, "split", "test", "train")["thickness"] == pytest.approx(1, abs=0.05)
    assert apart(samples, "split", "val", "train")["thickness"] == pytest.approx(0, abs=0.05)
    assert apart(samples, "population", "students", "employees")["slant"] == pytest.approx(-2, abs=0.05)
    section = written(samples)
    assert "thickness (test, +" in section.findings["splits"][0]
    assert "slant (-" in section.findings["styles"][0]
    table = section.tables["styles_of_splits"][1].set_index("style")
    assert table["test_minus_training_sd"]["thickness, px"] == pytest.approx(1, abs=0.05)
    assert table["test"]["thickness, px"] - table["training"]["thickness, px"] == pytest.approx(2, abs=0.1)


def test_splits_and_populations_that_are_alike_are_not_told_apart(samples):
    findings = written(samples).findings
    assert "Validation and test are written like training" in findings["splits"][0]
    assert "populations do not differ in style" in findings["styles"][0]


def test_styles_that_training_hardly_holds_are_counted(samples):
    rare = samples["split"].eq("test") & samples["population"].eq("students") & (samples["row"] % 5 == 0)
    samples.loc[rare, "ink"] = 40
    row = unfamiliar(samples).set_index("style").loc["ink"]
    assert row["students_percent"] == pytest.approx(20.8, abs=0.5)
    assert row["employees_percent"] == pytest.approx(1, abs=0.5)


def test_a_source_without_writers_says_what_it_cannot_show(samples):
    samples = nameless(samples).assign(source_row=np.arange(70_000))
    section = written(samples, source="mnist-sample")
    assert "not measurable" in section.findings["without_writers"][0]
    assert (section.tables["contract"][1]["holds"] == "yes").all()
    assert "writers" not in section.tables["splits"][1]
    assert set(section.figures) == {"by_split"}


def test_a_source_that_names_writers_need_not_be_mnist(samples):
    samples["source_row"] = np.arange(70_000)
    facts = contract_table(samples, "another")
    assert (facts["holds"] == "yes").all()
    assert "writers in two splits" in facts["fact"].tolist()
    assert not facts["fact"].str.contains("by students").any()
