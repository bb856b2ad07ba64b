"""The report: that the page is safe, whole and the same each time, with the worst first."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.audits.gates import Verdict
from pipeline.report import page as report
from pipeline.report import scorecard
from pipeline.report.page import Drawn
from tests.pipeline.report.made_up import (
    CLOSE,
    FAILED,
    PASSED,
    SENTENCES,
    UNMEASURED,
    figure,
    records,
    section,
    tables,
)

FACTS = {"name": "convnet", "source": "mnist", "version": "0123456789ab", "images": 10_000}


def page(*sections: Drawn, gates: tuple[Verdict, ...] = (PASSED,)) -> str:
    return report.render(FACTS, scorecard.verdict("convnet", gates), records(*gates), sections)


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


def test_the_scorecard_comes_first_and_the_worst_first_in_it():
    gates = (PASSED, CLOSE, FAILED, UNMEASURED)
    text = Reader(page(section(), section("population"), gates=gates)).text
    titles = [one.gate.title for one in (FAILED, CLOSE, UNMEASURED, PASSED)]
    places = [text.index(title, text.index("Scorecard What")) for title in titles]
    assert places == sorted(places)
    assert text.index("convnet may not be served") < places[0]
    assert places[-1] < text.index("A finding.")
    assert all(sentence in text for sentence in SENTENCES.values())
    assert "LeNet-5 misclassifies 0.82" in text
    assert "95 % interval: 0.27 to 0.52 %" in text
    assert "required: at most 0.40 %" in text


def test_every_link_leads_somewhere():
    tags = Reader(page(section(), section("population"), gates=(PASSED, FAILED))).tags
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    links = {attributes["href"] for tag, attributes in tags if tag == "a"}
    assert links == {"#scorecard", "#accuracy", "#population"}
    assert {str(link)[1:] for link in links} <= ids


def test_the_page_asks_nobody_for_anything():
    html = page(section(), gates=(PASSED, CLOSE))
    tags = Reader(html).tags
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in tags}
    sources = [str(attributes["src"]) for _, attributes in tags if "src" in attributes]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.findall(r"https?:|url\(|@import", re.sub(r"base64,[^\"]*", "", html))


def test_a_wide_figure_is_scrolled_and_not_shrunk_on_a_phone():
    html = page(section(figures={"one": ("wide", figure(11)), "other": ("narrow", figure(5))}))
    classes = {str(attributes["alt"]): attributes.get("class") for tag, attributes in Reader(html).tags if tag == "img"}
    assert classes == {"wide": "wide", "narrow": None}
    regions = [attributes["aria-label"] for _, attributes in Reader(html).tags if attributes.get("role") == "region"]
    assert "wide" in regions


def test_a_table_with_more_beyond_its_edge_casts_a_shadow_there():
    box = re.search(r"\.box \{.*?\}", page(section()), re.DOTALL)
    assert box
    assert box[0].count(" local,") == 4, "covers that scroll with the table, one at each edge"
    assert box[0].count("var(--shade)") == 4


@pytest.mark.parametrize(("value", "text"), [(3.385e-05, "0.00003385"), (-0.0, "0"), (0.5, "0.5"), (12345.6, "12,346")])
def test_small_numbers_are_written_out_and_nothing_has_no_sign(value, text):
    assert report.text(value) == text


def test_figures_are_embedded_in_the_size_they_were_drawn():
    [image] = [attributes for tag, attributes in Reader(page(section())).tags if tag == "img"]
    assert (image["width"], image["height"], image["alt"]) == ("192", "96", "The misread images")
    picture = Image.open(io.BytesIO(base64.b64decode(str(image["src"]).partition(",")[2])))
    assert picture.size == (288, 144)
    assert "Software" not in picture.info


def test_what_others_wrote_is_text_and_not_markup():
    evil = "<script>alert(1)</script> & \"quotes\" 'single'"
    strange = section(
        title=evil,
        question=evil,
        findings={"seen": [evil]},
        tables={"evil": (evil, pd.DataFrame({evil: [evil]}))},
        figures={"evil": (evil, figure())},
    )
    gates = [{**record, "sentence": evil, "title": evil} for record in records(PASSED)]
    reader = Reader(report.render(dict.fromkeys(FACTS, evil) | {"images": 1}, evil, gates, [strange]))
    assert "script" not in {tag for tag, _ in reader.tags}
    assert reader.text.count("alert(1)") >= 10


def test_the_same_sections_give_the_same_page():
    table = pd.DataFrame({"x": np.linspace(0, 1, 5)})
    assert page(section(tables=tables(one=table))) == page(section(tables=tables(one=table)))


def test_tables_are_shown_in_readable_numbers_and_cut_where_they_are_long():
    table = pd.DataFrame(
        {"count": [12345, 2], "share": [0.123456789, np.nan], "name": ["a", None], "ok": [True, False]}
    )
    text = Reader(page(section(tables=tables(one=table)))).text
    assert "12,345 0.1235 a yes 2 – – no" in text
    long = pd.DataFrame({"row": np.arange(report.SHOWN_ROWS + 50)})
    html = page(section(tables=tables(long=long)))
    assert "50 more rows in tables/accuracy-long.csv" in Reader(html).text
    assert html.count("<tr><td") == report.SHOWN_ROWS


def test_a_column_is_headed_in_words_with_its_unit():
    table = pd.DataFrame({"error_percent": [0.3], "gap_pp": [0.1], "taken_for": ["9"], "digit": [4]})
    text = Reader(page(section(tables=tables(one=table)))).text
    assert "error, % gap, percentage points taken for digit" in text


def test_tables_become_csv_files_with_their_index_where_it_means_something(tmp_path):
    plain = pd.DataFrame({"x": [1, 2]})
    named = pd.DataFrame({"x": [1]}, index=pd.Index(["fog"], name="corruption"))
    report.write_tables([section(tables=tables(by_digit=plain, corruptions=named))], tmp_path)
    assert (tmp_path / "accuracy-by-digit.csv").read_bytes() == b"x\n1\n2\n"
    assert (tmp_path / "accuracy-corruptions.csv").read_bytes() == b"corruption,x\nfog,1\n"
