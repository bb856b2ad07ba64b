"""No file is read or written in whatever encoding the machine is set to: this project's text is UTF-8."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LEARNT_WITH = {
    *(f"pipeline/{name}.py" for name in ("train", "cross_validate", "data/errors", "data/store", "data/split")),
    *map(str, Path("pipeline/models").glob("*.py")),
}
"""What a training depends on, which an edit would have learn anew; in its text there is nothing but ASCII."""
FILES = [
    path
    for path in [*(path for place in ("pipeline", "serving", "benchmarks") for path in Path(place).rglob("*.py"))]
    if str(path) not in LEARNT_WITH
] + [Path("lock.py")]


def left_open(tree: ast.AST) -> Iterator[int]:
    """The lines of calls that take text without saying its encoding."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        given = {one.arg: one.value for one in call.keywords}
        if "encoding" in given or None in given:
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in ("read_text", "write_text") or is_text(call, name, given) or "text" in given:
            yield call.lineno


def is_text(call: ast.Call, name: str, given: dict[str | None, ast.expr]) -> bool:
    """Whether a call is `open(file)` or `path.open()` in a mode of text."""
    if name != "open":
        return False
    if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in ("Image", "gzip"):
        return False
    places = call.args[1:2] if isinstance(call.func, ast.Name) else call.args[:1]
    mode = given.get("mode", places[0] if places else ast.Constant("r"))
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "b" not in mode.value


@pytest.mark.parametrize("path", FILES, ids=str)
def test_text_is_read_and_written_with_an_encoding(path: Path):
    assert not [f"{path}:{line}" for line in left_open(ast.parse(path.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("path", sorted(LEARNT_WITH))
def test_what_learns_writes_ascii(path: str):
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    spoken = {part.value for part in ast.walk(tree) if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    told = {ast.get_docstring(part, clean=False) for part in ast.walk(tree) if isinstance(part, ast.Module)}
    assert all(text.isascii() for text in spoken - told)
