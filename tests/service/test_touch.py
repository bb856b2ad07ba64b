"""Units written out and switched off, and networks side by side, over HTTP."""

import json
import lzma
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from pipeline import package, release, serve
from pipeline.showcase import held_out, inside
from tests import toy_model
from tests.service.server import serving
from tests.service.test_contract import encode, error_of

SEVEN = encode(toy_model.image(7))
DIGITS = np.frombuffer(Path("serving/page/samples/ten.bin").read_bytes(), np.uint8).reshape(10, 28, 28)
OF_EACH = 50


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A client of the released champion, with test digits, and the toy to compare it with."""
    folder = tmp_path_factory.mktemp("opened")
    model = serve.released(release.champions()["mnist"]) / "src/model.onnx"
    show = folder / "show"
    show.mkdir()
    [(name, sheet)] = held_out.make(
        np.tile(DIGITS, (OF_EACH, 1, 1)), np.tile(np.arange(10, dtype=np.uint8), OF_EACH)
    ).items()
    (show / name).write_bytes(sheet)
    toy = inside.derive(toy_model.write(folder / "toy.onnx").read_bytes())
    (show / "compare_toy.onnx.xz").write_bytes(lzma.compress(toy))
    listed = [
        {"name": name, "title": f"a {name}", "parameters": 1, "accuracy": 0.5} for name in ("toy", "lost", "convnet")
    ]
    (show / "compare.json").write_text(json.dumps(listed))
    built = package.build(model, package.SERVING, folder, None, show)
    with (
        serving(Path(shutil.copytree(built, folder / "served")), folder / "server") as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        yield client


def test_a_unit_without_a_place_is_told_at_its_strongest(opened):
    layers = opened.post("/explain", content=encode(DIGITS[3])).json()["layers"]
    for layer, one in enumerate(layers[:-1]):
        unit = int(np.random.default_rng().integers(one["units"]))
        told = opened.post(f"/unit?layer={layer}&unit={unit}", content=encode(DIGITS[3])).json()
        _, rows, columns = one["values"]["shape"]
        places = np.random.default_rng().integers((rows, columns), size=(3, 2))
        for row, column in places.tolist():
            query = {"layer": layer, "unit": unit, "row": row, "column": column}
            other = opened.post("/unit", params=query, content=encode(DIGITS[3])).json()
            assert (other["row"], other["column"]) == (row, column)
            assert other["output"] <= told["output"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("unit?layer=1", ["layer", "0"]),
        ("unit?unit=10", ["unit", "9"]),
        ("unit?row=1", ["row", "0"]),
        ("unit?layer=x", ["layer", "integer"]),
        ("unit?unit=-1", ["unit", "0"]),
        ("unit?place=3", ["place", "layer, unit, row, column"]),
        ("unit?unit=1&unit=2", ["twice"]),
        ("without?off=0.1", ["layer"]),
        ("without?off=map", ["off"]),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(client, query, says):
    path, _, asked = query.partition("?")
    message = error_of(client.post(f"/{path}", params=asked, content=SEVEN), 422, "invalid_query")
    assert [part for part in says if part not in message] == [], message
    assert "GET /docs" in message


@pytest.mark.parametrize("path", ["/unit", "/without", "/compare"])
def test_an_image_is_refused_as_predict_refuses_it(client, path):
    for content in (b"", b"hello", b"\x89PNG\r\n\x1a\n"):
        assert (
            client.post(path, content=content).json()["error"]
            == client.post("/predict", content=content).json()["error"]
        )


def examined(client, image, off=""):
    """What is told without those units, which on a busy machine may take another try."""
    for _ in range(20):
        response = client.post("/without", params={"off": off}, content=image)
        if response.status_code == 200:
            return response.json()
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        time.sleep(1)
    raise AssertionError("it is never examined")


def test_a_unit_that_is_off_changes_the_answer_and_one_more_than_one_does(opened):
    image = encode(DIGITS[5])
    whole = examined(opened, image)
    assert whole["whole"] == whole["without"]
    assert whole["test"]["right"] == whole["test"]["right_without"]
    assert whole["test"]["images"] == [OF_EACH] * 10
    told = examined(opened, image, "0.3")
    assert told["whole"] == whole["whole"]
    assert told["without"]["points"] != whole["whole"]["points"]
    blind = examined(opened, image, ",".join(f"0.{unit}" for unit in range(16)))
    assert sum(blind["test"]["right_without"]) == OF_EACH, "without its first layer it reads all digits alike"


def test_one_examination_at_a_time_and_none_waits(opened):
    def ask(_):
        with httpx.Client(base_url=opened.base_url, timeout=20) as client:
            response = client.post("/without?off=1.5", content=encode(DIGITS[5]))
        return response.status_code, response.headers.get("retry-after")

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(ask, range(8)))
    assert (503, "1") in answers
    assert answers <= {(200, None), (503, "1")}
    assert examined(opened, encode(DIGITS[5]), "1.5")["off"] == "1.5"


def test_networks_are_compared_on_the_same_pixels(opened):
    served = examined(opened, encode(DIGITS[2]))["whole"]
    toy, convnet = opened.post("/compare", content=encode(DIGITS[2])).json()["readers"]
    assert (convnet["served"], toy["served"]) == (True, False)
    assert convnet["answer"] == served
    assert convnet["ink"] is None
    ink = toy["ink"]
    points = np.array(toy["answer"]["points"])
    assert ink["digit"] == toy["answer"]["digit"] == points.argmax()
    assert ink["lead"] == pytest.approx(points[ink["digit"]] - points[ink["rival"]], abs=1e-4)
    assert ink["start"] + ink["gained"] + ink["lost"] == pytest.approx(ink["lead"], abs=1e-4)
    blank = opened.post("/compare", content=encode(np.full((50, 50), 255, np.uint8))).json()
    assert [reader["saliency"] for reader in blank["readers"]] == [None, None]


def test_without_what_is_packaged_for_it_nothing_is_compared(client):
    assert client.post("/compare", content=SEVEN).json()["readers"] == []
    assert client.post("/without", content=SEVEN).json()["test"] is None
