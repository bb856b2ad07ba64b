"""Several hosts in one process: threads, each of which is told another name of its host."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipeline.tracking import claim, runs, store
from pipeline.tracking.away import StoreError
from pipeline.tracking.runkey import inputs


class Hosts:
    """Hosts by their names; on the thread that started them, the one that it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.local, real = threading.local(), socket.gethostname()
        monkeypatch.setattr(socket, "gethostname", lambda: getattr(self.local, "name", real))
        monkeypatch.setattr(claim, "BEAT", 0.3)
        monkeypatch.setattr(claim, "SILENCE", 5.0)

    def run(self, names: list[str], body: Callable[[str], Any]) -> list[Any]:
        """What the body returns on each host, where it runs at the same time."""
        together = threading.Barrier(len(names))

        def on(name: str) -> Any:
            self.local.name = name
            together.wait()
            return body(name)

        with ThreadPoolExecutor(len(names)) as pool:
            return list(pool.map(on, names))

    def train(self, names: list[str]) -> tuple[list[str], list[str]]:
        """Train with the same inputs on all: the ids of the runs in which one trained, and what the others were told.

        A training ends once all others were refused.
        """
        store.open_store()
        refused: list[str] = []

        def body(_: str) -> str | None:
            try:
                with runs.training("convnet", "mnist-sample", inputs("train@convnet")) as run_id:
                    for _try in range(600):
                        if len(refused) == len(names) - 1:
                            break
                        threading.Event().wait(0.1)
                    return run_id
            except StoreError as error:
                refused.append(str(error))
                return None

        return [run_id for run_id in self.run(names, body) if run_id], refused
