"""tests/conftest.py, at work on tests of its own."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SKIPPED = """
import pytest

def test_passes():
    pass

@pytest.mark.skipif(True, reason="this processor has no bfloat16 arithmetic")
def test_of_arithmetic():
    pass

@pytest.mark.xfail(reason="known")
def test_known_to_fail():
    raise AssertionError
"""
LACKING = """
import pytest

@pytest.fixture
def champion():
    pytest.skip("there is no champion: `make run` makes one")

def test_of_a_champion(champion):
    pass

def test_of_another(champion):
    pass
"""
WHOLE = """
import pytest

pytest.importorskip("no_such_package", reason="no_such_package is not installed")
"""


@pytest.fixture(params=["true", ""])
def in_ci(request, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A folder with this conftest.py, as it is in CI and elsewhere."""
    monkeypatch.setenv("CI", request.param)
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    return bool(request.param)


def test_a_skip_for_an_admitted_reason_passes_and_is_said_in_the_last_line(pytester, in_ci):
    pytester.makepyfile(SKIPPED)
    done = pytester.runpytest()
    done.assert_outcomes(passed=1, skipped=1, xfailed=1)
    assert done.ret == 0
    assert done.outlines[-1] == "Left out: 1, since this processor has no bfloat16 arithmetic."


def test_a_skip_for_another_reason_fails_in_ci_and_names_test_and_reason(pytester, in_ci):
    pytester.makepyfile(LACKING)
    done = pytester.runpytest("-ra")
    if in_ci:
        done.assert_outcomes(errors=2)
        assert done.ret == pytest.ExitCode.TESTS_FAILED
        done.stdout.fnmatch_lines("ERROR *::test_of_another - skipped, *: there is no champion: `make run` makes one")
    else:
        done.assert_outcomes(skipped=2)
        assert done.ret == 0
        assert done.outlines[-1] == "Left out: 2, since there is no champion: `make run` makes one."


def test_so_does_a_module_that_is_skipped_as_a_whole(pytester, in_ci):
    pytester.makepyfile(SKIPPED, test_whole=WHOLE)
    done = pytester.runpytest("-ra", "--continue-on-collection-errors")
    if in_ci:
        assert done.ret == pytest.ExitCode.TESTS_FAILED
        done.stdout.fnmatch_lines("ERROR test_whole.py - skipped, *: no_such_package is not installed")
    else:
        assert done.ret == 0
        assert "1, since no_such_package is not installed" in done.outlines[-1]


def test_where_nothing_was_left_out_nothing_is_said(pytester, in_ci):
    pytester.makepyfile("def test_passes(): pass")
    done = pytester.runpytest()
    assert "Left out" not in done.stdout.str()
