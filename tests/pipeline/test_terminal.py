"""Tables in a log or a pipe are not cut short."""

import pytest

from pipeline import terminal


def test_a_pipe_has_room_for_a_wide_table_and_columns_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal.console().width == 120
    monkeypatch.setenv("COLUMNS", "93")
    assert terminal.console().width == 93
