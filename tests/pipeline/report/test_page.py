"""The report: what the scorecard says, and that the page is safe, whole and the same each time."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipeline.audits.gates import Gate
from pipeline.audits.section import Figures, Section
from pipeline.report import page as report
from pipeline.report import wording

PASSED = Gate("digit_recall", 0.995, (0.992, 0.998), "at least", 0.99, "Fives are read worst.", "98.8 % elsewhere")
CLOSE = Gate("error", 0.0038, (0.0027, 0.0052), "at most", 0.004, "38 are misread.")
FAILED = Gate("population_gap", 0.6, (-0.1, 0.7), "at most", 0.5, "Students are misread more often.")
UNMEASURED = Gate("students_error", None, None, "at most", 0.007, "No writers are known.")


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([0, 1])
    return drawn


def section(*gates: Gate, key: str = "accuracy", tables: dict[str, pd.DataFrame] | None = None) -> Section:
    figures: Figures = {"The misread images": figure()}
    return Section(key, key.title(), "How often?", list(gates), ["A finding."], tables or {}, figures)


def page(*sections: Section) -> str:
    return report.render("convnet", "mnist", "0123456789ab", 10_000, sections)


class Reader(HTMLParser):
    """Collects the tags, their attributes, and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize(
    ("gate", "standing"),
    [(PASSED, "passed"), (CLOSE, "close"), (FAILED, "failed"), (UNMEASURED, "not measurable")],
)
def test_a_gate_stands_as_its_value_and_its_interval_say(gate, standing):
    assert wording.standing(gate.record()) == standing


@pytest.mark.parametrize(
    ("gate", "standing"),
    [
        (Gate("invariance_lossless", 1.0, (0.9996, 1.0), "at least", 1.0, ""), "passed"),
        (Gate("invariance_lossless", 0.9999, (0.9996, 1.0), "at least", 1.0, ""), "failed"),
        (Gate("coverage", 0.986, (0.983, 0.988), "at least", 0.985, ""), "close"),
        (Gate("coverage", 0.986, None, "at least", 0.985, ""), "passed"),
    ],
)
def test_what_meets_all_or_nothing_is_not_called_close(gate, standing):
    assert wording.standing(gate.record()) == standing


def test_a_near_miss_is_told_with_the_digits_that_show_it():
    near = Gate("error", 0.0040001, (0.003, 0.005), "at most", 0.004, "").record()
    assert wording.verdict(near) == "0.40001\u00a0%, must be at most 0.40000\u00a0%, missed by 0.00001\u00a0%"
    assert wording.verdict(FAILED.record()) == "0.60\u00a0pp, must be at most 0.50\u00a0pp, missed by 0.10\u00a0pp"
    assert wording.verdict(UNMEASURED.record()) == "not measurable"


def test_no_gate_that_failed_looks_met():
    near = Gate("answered_error", 0.0010134, (0.0005, 0.0019), "at most", 0.001, "")
    card = report.card(near, Section("calibration", "", ""))
    assert (card["value"], card["asked"]) == ("0.101\u00a0%", "at most 0.100\u00a0%")
    assert (wording.found(PASSED.record()), wording.asked(PASSED.record())) == ("99.50\u00a0%", "at least 99.00\u00a0%")
    assert wording.found(UNMEASURED.record()) == "–"


def test_the_verdict_says_whether_it_may_be_served_and_why_not():
    refused = report.verdict("convnet", [gate.record() for gate in (PASSED, CLOSE, FAILED, UNMEASURED)])
    assert refused.startswith("convnet may not be served: it misses 1 of the 3 requirements measured.")
    assert "(0.60\u00a0pp, must be at most 0.50\u00a0pp, missed by 0.10\u00a0pp)" in refused
    assert "another test set might decide otherwise: Errors." in refused
    assert "This data cannot show: Errors on students' digits." in refused
    served = report.verdict("convnet", [PASSED.record(), PASSED.record()])
    assert served == "convnet may be served: it meets all 2 requirements that could be measured."
    assert "may not be judged" in report.verdict("convnet", [UNMEASURED.record()])


def test_the_scorecard_comes_first_and_the_worst_first_in_it():
    text = Reader(page(section(PASSED, CLOSE), section(FAILED, UNMEASURED, key="population"))).text
    titles = [wording.requirement(gate.name).title for gate in (FAILED, CLOSE, UNMEASURED, PASSED)]
    places = [text.index(title, text.index("Scorecard What")) for title in titles]
    assert places == sorted(places)
    assert text.index("convnet may not be served") < places[0]
    assert places[-1] < text.index("A finding.")
    for gate in (PASSED, CLOSE, FAILED, UNMEASURED):
        assert gate.sentence in text
    assert "98.8 % elsewhere" in text
    assert "95 % interval: 0.27 to 0.52 %" in text
    assert "required: at most 0.40 %" in text


def test_every_link_leads_somewhere():
    tags = Reader(page(section(PASSED), section(FAILED, key="population"))).tags
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    links = {attributes["href"] for tag, attributes in tags if tag == "a"}
    assert links == {"#scorecard", "#accuracy", "#population"}
    assert {str(link)[1:] for link in links} <= ids


def test_the_page_asks_nobody_for_anything():
    html = page(section(PASSED, FAILED))
    tags = Reader(html).tags
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in tags}
    sources = [str(attributes["src"]) for _, attributes in tags if "src" in attributes]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.findall(r"https?:|url\(|@import", re.sub(r"base64,[^\"]*", "", html))


def test_a_wide_figure_is_scrolled_and_not_shrunk_on_a_phone():
    figures: Figures = {"wide": Figure(figsize=(11, 2)), "narrow": Figure(figsize=(5, 2))}
    html = page(replace(section(PASSED), figures=figures))
    classes = {str(attributes["alt"]): attributes.get("class") for tag, attributes in Reader(html).tags if tag == "img"}
    assert classes == {"wide": "wide", "narrow": None}
    regions = [attributes["aria-label"] for _, attributes in Reader(html).tags if attributes.get("role") == "region"]
    assert "wide" in regions


def test_a_table_with_more_beyond_its_edge_casts_a_shadow_there():
    box = re.search(r"\.box \{.*?\}", page(section(PASSED)), re.DOTALL)
    assert box
    assert box[0].count(" local,") == 4, "covers that scroll with the table, one at each edge"
    assert box[0].count("var(--shade)") == 4


@pytest.mark.parametrize(("value", "text"), [(3.385e-05, "0.00003385"), (-0.0, "0"), (0.5, "0.5"), (12345.6, "12,346")])
def test_small_numbers_are_written_out_and_nothing_has_no_sign(value, text):
    assert report.text(value) == text


def test_figures_are_embedded_in_the_size_they_were_drawn():
    [image] = [attributes for tag, attributes in Reader(page(section(PASSED))).tags if tag == "img"]
    assert (image["width"], image["height"], image["alt"]) == ("192", "96", "The misread images")
    picture = Image.open(io.BytesIO(base64.b64decode(str(image["src"]).partition(",")[2])))
    assert picture.size == (288, 144)
    assert "Software" not in picture.info


def test_what_others_wrote_is_text_and_not_markup():
    evil = "<script>alert(1)</script> & \"quotes\" 'single'"
    table = pd.DataFrame({evil: [evil]})
    strange = Section("a", evil, evil, [Gate(evil, 1.0, None, "at most", 2.0, evil, evil)], [evil], {evil: table}, {})
    reader = Reader(report.render(evil, evil, evil, 1, [strange]))
    assert "script" not in {tag for tag, _ in reader.tags}
    assert reader.text.count("alert(1)") >= 10


def test_figures_that_are_drawn_beforehand_give_the_same_page():
    assert page(report.drawn(section(PASSED))) == page(section(PASSED))


def test_the_same_sections_give_the_same_page():
    table = pd.DataFrame({"x": np.linspace(0, 1, 5)})
    assert page(section(PASSED, tables={"A table": table})) == page(section(PASSED, tables={"A table": table}))


def test_tables_are_shown_in_readable_numbers_and_cut_where_they_are_long():
    table = pd.DataFrame(
        {"count": [12345, 2], "share": [0.123456789, np.nan], "name": ["a", None], "ok": [True, False]}
    )
    text = Reader(page(section(PASSED, tables={"A table": table}))).text
    assert "12,345 0.1235 a yes 2 – – no" in text
    long = pd.DataFrame({"row": np.arange(report.SHOWN_ROWS + 50)})
    html = page(section(PASSED, tables={"Long": long}))
    assert "50 more rows in tables/accuracy-long.csv" in Reader(html).text
    assert html.count("<tr><td") == report.SHOWN_ROWS


def test_tables_become_csv_files_with_their_index_where_it_means_something(tmp_path):
    plain = pd.DataFrame({"x": [1, 2]})
    named = pd.DataFrame({"x": [1]}, index=pd.Index(["fog"], name="corruption"))
    report.write_tables([section(PASSED, tables={"Plain, 95 %": plain, "Accuracy by corruption": named})], tmp_path)
    assert (tmp_path / "accuracy-plain-95.csv").read_bytes() == b"x\n1\n2\n"
    assert (tmp_path / "accuracy-accuracy-corruption.csv").read_bytes() == b"corruption,x\nfog,1\n"
    with pytest.raises(ValueError, match="begin alike"):
        report.write_tables([section(PASSED, tables={"Plain, 95 %": plain})], tmp_path)
