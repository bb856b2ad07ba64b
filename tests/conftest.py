"""No test is left out in silence: the last line says what was skipped and how to have it; in CI it is a failure.

Ray is imported as the commands import it, whichever test does so first. Where xdist shares tests out, those of a file
stay together.
"""

import os
from collections import Counter
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

ADMITTED_IN_CI = {
    "MNIST_MIRROR names no folder with the real MNIST",
    "this processor has no bfloat16 arithmetic",
    "npm brings no redocly that runs here",
    "this user may not make namespaces",
    "only root, where apt knows of Debian's bookworm, can make the base of an image",
}
"""What a machine of CI may lack; npm's registry is no part of it. It can be given all else, and .ci/run does so."""

TOGETHER = ("tests/behaviour/", "tests/walks/")
"""Folders whose tests share what takes minutes: what the service answered to all that the audit asks; a `make run`."""

SLOW = (*TOGETHER, "tests/browser/")
"""Folders whose tests all count as slow: few are, but they are hundreds."""


class Scheduling(LoadFileScheduling):
    """One process runs a file, and each folder of TOGETHER."""

    def _split_scope(self, nodeid: str) -> str:
        return next(filter(nodeid.startswith, TOGETHER), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)  # before what is marked is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with folders and files whose tests take long: at the end no process waits minutes for another's last."""
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (not item.nodeid.startswith(TOGETHER), item.path not in slow))


def pytest_configure() -> None:
    for name in ("COLUMNS", "LINES"):  # GNU readline sets them in xdist's processes
        os.environ.pop(name, None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Any:
    """Set, for tests that import Ray as they are collected, what the commands set before: it reads this once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Any:
    return checked((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    return checked((yield))


def checked(report: Any) -> Any:
    """The report of a module or of a test; in CI a failure if it was skipped for a reason that is not admitted."""
    in_ci = os.environ.get("CI") == "true"
    if in_ci and report.skipped and not hasattr(report, "wasxfail") and reason(report) not in ADMITTED_IN_CI:
        report.longrepr = f"skipped, which CI does not admit: {reason(report)}"
        report.outcome = "failed"
    return report


def reason(skipped: Any) -> str:
    _path, _line, message = skipped.longrepr
    return str(message).removeprefix("Skipped: ")


def pytest_unconfigure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and (skipped := reporter.stats.get("skipped")):
        left_out = Counter(map(reason, skipped)).most_common()
        reporter.write_line("Left out: " + "; ".join(f"{count}, since {why}" for why, count in left_out) + ".")
