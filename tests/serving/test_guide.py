"""The page at /docs, as it is made."""

from html.parser import HTMLParser
from pathlib import Path

from serving import guide
from serving.app import ROUTES
from serving.openapi import document

TEMPLATE = Path("serving/page/docs.html").read_text()
DOCUMENT = document(ROUTES)
VOID = {"meta", "link", "img", "input"}


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{self.getpos()}: </{tag}>"

    def handle_data(self, data):
        self.text += data


def test_what_is_opened_is_closed_and_every_name_is_given_once():
    reader = Reader()
    reader.feed(guide.page(TEMPLATE, DOCUMENT).decode())
    reader.close()
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)


def test_what_a_document_says_cannot_become_markup():
    said = "<script>alert('`<b>` & $who')</script>"
    one = {**DOCUMENT["paths"]["/predict"]["post"], "description": said, "summary": said}
    one["x-codeSamples"] = [{"lang": "Shell", "source": said}]
    page = guide.page(TEMPLATE, {**DOCUMENT, "paths": {"/predict": {"post": one}}}).decode()
    assert "alert" not in page.replace("&lt;script&gt;alert", "")
    reader = Reader()
    reader.feed(page)
    assert reader.text.count("alert") == 3
    assert said in reader.text


def test_json_for_people_keeps_a_list_of_numbers_on_one_line():
    assert guide.written({"a": [0.5, 2e-7, 3], "b": [[1, 2]]}).splitlines() == [
        "{",
        '  "a": [0.5, 2e-07, 3],',
        '  "b": [',
        "    [1, 2]",
        "  ]",
        "}",
    ]
