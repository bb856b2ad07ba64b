"""How many files it takes to add a preset, a kind of network, a gate or a kind of picture: one of each, on a copy.

A source is added in tests/pipeline/data/test_sources.py.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.workspace import ROOT, contents

COPIED = ("pipeline", "serving", "params.yaml", "dvc.yaml")

KIND = '''
class Linear(Network):
    """No hidden layer at all."""

    title: ClassVar[str] = "linear classifier"

    kind: Literal["linear"]

    def layers(self) -> "nn.Sequential":
        from torch import nn

        return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, DIGITS))


if TYPE_CHECKING:
    AnyNetwork'''
PRESET = "kind: mlp, hidden: [8], dropout: 0.0, epochs: 1, batch_size: 64, learning_rate: 0.01, weight_decay: 0.0"
LINEAR = "kind: linear, epochs: 1, batch_size: 64, learning_rate: 0.01, weight_decay: 0.0"
CORRUPTION = '''
@corruption("mirrored", (1.0,))
def mirror(images: Batch, severity: float, rng: np.random.Generator) -> Batch:
    """Left and right change places."""
    return images[:, :, ::-1]
'''
SENT = """

@kind("stamped", "a stamp over the digit", 1, 2, 3)
def stamped(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    return png(painted(written(digit, rng).ink, 60 * strength))
"""
GATE = """        Gate("two_errors", "accuracy", "Errors, doubled", "twice the errors", "at most"),
        Gate(
            "error","""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the code and of what it reads, to be added to."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def add(code: Path, name: str, old: str, new: str) -> None:
    """Replace what the regular expression ``old`` finds first in a file."""
    path = code / name
    text = path.read_text()
    changed = re.sub(old, lambda found: found.expand(new) if "\\" in new else new, text, count=1)
    assert changed != text
    path.write_text(changed)


def add_preset(code: Path, name: str, entry: str) -> None:
    """The three places that a preset has, all in params.yaml."""
    add(code, "params.yaml", r"(networks:.*\n)", rf"\1  {name}: {{ {entry} }}\n")
    add(code, "params.yaml", r"(candidates:.*\n)", rf"\1- {name}\n")
    add(code, "params.yaml", r"(\n  convnet: \{\}\n)", rf"\1  {name}: {{}}\n")


def changed(code: Path, before: dict[str, bytes]) -> set[str]:
    after = contents(code)
    return {name for name in after if "__pycache__" not in name and after[name] != before.get(name)}


def append(code: Path, name: str, function: str) -> None:
    """Write a function to the end of a file, and nothing else anywhere."""
    before = contents(code)
    with (code / name).open("a") as file:
        file.write(function)
    assert changed(code, before) == {name}


def run(code: Path, script: str) -> str:
    """Run a script on the copy; return what it printed."""
    environment = {**os.environ, "PYTHONPATH": f"{code}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stages(code: Path) -> str:
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], cwd=code, check=True)
    return subprocess.run(["dvc", "stage", "list", "--name-only"], cwd=code, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_a_preset_is_added_in_one_file(code):
    before = contents(code)
    add_preset(code, "small", PRESET)
    assert changed(code, before) == {"params.yaml"}
    assert {f"{stage}@small" for stage in ("train", "export", "audit", "judge")} <= set(stages(code).split())
    assert run(code, "from pipeline import params; print(params.load('networks.small').hidden)") == "[8]\n"


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (r"  small: \{ .*\n", "small is a candidate without an entry under networks: add `small:` with its kind"),
        (r"  small: \{\}\n", "small is a candidate without an entry under gates: add `small: {}`"),
    ],
)
def test_what_a_preset_lacks_is_said_in_one_message_before_the_first_stage(code, lost, message):
    add_preset(code, "small", PRESET)
    add(code, "params.yaml", lost, "")
    environment = {**os.environ, "PYTHONPATH": str(code)}
    for command in (["pipeline"], ["pipeline.download"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=code, env=environment, capture_output=True, text=True
        )
        assert done.returncode
        assert message in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_kind_of_network_is_a_class_in_one_file_and_its_preset(code):
    before = contents(code)
    add(code, "pipeline/models/networks.py", r"\nif TYPE_CHECKING:\n    AnyNetwork", KIND)
    add_preset(code, "linear", LINEAR)
    assert changed(code, before) == {"pipeline/models/networks.py", "params.yaml"}
    script = (
        "import torch\nfrom pipeline import params\nfrom pipeline.models.networks import kinds\n"
        "config = params.load('networks.linear')\n"
        "print(kinds()['linear'].title, tuple(config.build()(torch.zeros(2, 1, 28, 28)).shape))"
    )
    assert run(code, script) == "linear classifier (2, 10)\n"


def test_a_corruption_is_one_function(code):
    append(code, "pipeline/audits/inputs/corruptions.py", CORRUPTION)
    script = """
import numpy as np
from pipeline.audits import robustness
from pipeline.audits.ask import InProcess, answered
from pipeline.audits.inputs.catalogue import canvas_sets, corruption_sets, morphology_sets, severity_sets
from pipeline.report import sections
from tests.pipeline.audits import made_up
rng = np.random.default_rng(0)
results = made_up.results(made_up.handwriting(rng, 10, 5, 4), np.zeros(60, bool))
class Toy:
    def ask(self, pictures, one):
        return made_up.predictions(results.labels[one.rows], np.arange(len(one.rows)) % 3 == 0)
makers = (corruption_sets, severity_sets, morphology_sets, canvas_sets)
sets = {one.name: answered(Toy(), one) for make in makers for one in make(results)}
from dataclasses import replace
measures = robustness.measure(replace(results, sets=sets, bootstrap=50))
print("mirror" in measures["corruptions"].to_string(), len(measures["corruptions"]))
"""
    assert run(code, script) == "True 16\n"


def test_what_people_send_is_one_function(code):
    append(code, "pipeline/audits/inputs/as_sent/paper.py", SENT)
    script = """
import numpy as np
from pipeline.audits import as_sent
from pipeline.audits.inputs.catalogue import as_sent_sets
from pipeline.audits.results import Answered
from tests.pipeline.audits import made_up
results = made_up.results(made_up.handwriting(np.random.default_rng(0), 10, 5, 4), np.zeros(60, bool))
sets = {one.name: Answered(one.rows, made_up.predictions(results.labels[one.rows], one.rows < 0))
        for one in as_sent_sets(results)}
from dataclasses import replace
print(len([kind for kind in as_sent.measure(replace(results, sets=sets))["kinds"]["kind"] if kind == "stamped"]))
"""
    assert run(code, script) == "1\n"


def test_a_gate_is_a_row_its_measure_and_its_threshold(code):
    before = contents(code)
    add(code, "pipeline/audits/gates.py", r'        Gate\(\n            "error",', GATE)
    add(
        code,
        "pipeline/audits/accuracy.py",
        r'return \{"error": error\(results.wrong\),',
        'return {"two_errors": Estimate(2.0 * results.wrong.mean()), "error": error(results.wrong),',
    )
    add(code, "params.yaml", r"(  default:\n    all:\n)", r"\1      two_errors: 0.5\n")
    assert changed(code, before) == {"pipeline/audits/gates.py", "pipeline/audits/accuracy.py", "params.yaml"}
    script = """
import json
import numpy as np
from pipeline import params
from pipeline.audits import accuracy, gates
from pipeline.audits.gates import GATES, Estimate
from pipeline.report import scorecard, sections
from tests.pipeline.audits import made_up
results = made_up.results(made_up.handwriting(np.random.default_rng(0)), np.arange(6000) < 600)
default, own = params.load("gates.default", "gates.convnet")
limits = params.thresholds(default, own, "mnist")
found = accuracy.measure(results)
measures = {gate.section: {} for gate in GATES.values()}
for gate in GATES.values():
    measures[gate.section][gate.name] = found[gate.name] if gate.section == "accuracy" else Estimate(None)
verdicts = gates.decide(measures, limits)
written = sections.write("accuracy", results, found, limits)
[record] = [one for one in scorecard.records(verdicts[:3], {"accuracy": written}) if one["name"] == "two_errors"]
print(json.dumps([record["value"], record["status"], record["title"]]))
"""
    assert json.loads(run(code, script)) == [0.2, "passed", "Errors, doubled"]
