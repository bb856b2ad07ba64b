"""What a user of BentoML types: docs/bentoml.md and the README's questions, in a clone with the released champion."""

import json
from pathlib import Path

import pytest

from tests.walks.walk import Walk, blocks, elsewhere, free_port

pytestmark = pytest.mark.slow
STORE, SERVE, _CONTAINER = blocks("docs/bentoml.md")
[ASK] = [block for block in blocks("README.md") if "\ncurl " in block]
CLIENT = """
from pathlib import Path
from bentoml import SyncHTTPClient

with SyncHTTPClient("{url}") as client:
    print(client.predict(image=Path("serving/page/samples/seven.png"))["digit"])
"""


def test_pull_import_serve_and_ask(tmp_path: Path) -> None:
    walk = Walk.cloned(tmp_path / "inkwell")
    walk.type(". .venv/bin/activate\ndvc pull --quiet dist")
    said = walk.type(STORE)
    assert "inkwell:" in said
    assert (walk.folder / "inkwell.bento").exists()
    for line in SERVE.splitlines():
        port = free_port()
        with walk.serving(elsewhere(line, port), port, "/readyz") as url:
            beginning, *questions = ASK.replace("http://127.0.0.1:3000", url).splitlines()
            seven, same, ten, model = (
                json.loads(walk.type(f"{beginning}\n{question.replace('curl', 'curl -sS')}")) for question in questions
            )
            assert (seven["digit"], same["digit"]) == (7, 7)
            assert [one["digit"] for one in ten["predictions"]] == list(range(10))
            assert (model["name"], model["source"]) == ("convnet", "mnist")
            (walk.folder / "client.py").write_text(CLIENT.format(url=url))
            assert walk.type("python client.py").split()[-1] == "7"
    port = free_port()
    with walk.serving("make serve", port, "/readyz", PORT=str(port)) as url:
        assert json.loads(walk.type(f"curl -sS {url}/model"))["source"] == "mnist"
