"""docs/texts.md has the figures of the committed run."""

import json
import re
from pathlib import Path

from pipeline.texts import params
from pipeline.tracking.git import git

ROW = re.compile(r"(?m)^\| (`\w+`) \| ([^|]*) \|[^|]*\|[^|]*\| ([^|]*) \|[^|]*\| ([^|]*) \| ([^|]*) \|")
"""Of the page's table: network, layers, parameters, validation and test."""


def test_the_table_is_the_committed_runs():
    page = Path("docs/texts.md").read_text(encoding="utf-8")
    rows = {cells[0].strip("` "): [cell.strip() for cell in cells[1:]] for cells in re.findall(ROW, page)}
    measured = json.loads(git("show", "HEAD:./texts/reports/accuracy.json"))
    networks = params.load().networks
    assert rows.keys() == measured.keys() | {"by_hand"} == networks.keys() | {"by_hand"}
    for name, config in networks.items():
        layers, parameters, validation, test = rows[name]
        assert layers == "-".join(map(str, config.sizes))
        assert parameters == f"{config.parameters:,}"
        assert [validation, test] == [
            f"{measured[name][part]:.2%}".replace("%", " %") for part in ("validation", "test")
        ]
