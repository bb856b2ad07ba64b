"""Audit a running service over HTTP: the pictures, the judge and the gates of the stages audit and judge, on a sample.

    python -m pipeline.audit_service [http://127.0.0.1:3000]

Without a URL the champion of params.yaml's source, packaged here or released, is served and asked. INKWELL_API_KEY is
sent where it is set. What HTTP does not tell, as the novelty of a picture, is not measurable; attacks need the
network's gradients, and so the very model that is served among models/candidates/. A sample refuses only for what its
95 % interval excludes.
"""

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from pipeline import judge, params, paths, serve
from pipeline.audit import asked
from pipeline.audits.ask import OverHttp, answered
from pipeline.audits.inputs.catalogue import picture_sets, with_gradients
from pipeline.audits.inputs.picture_set import PictureSet
from pipeline.audits.results import TEST, Answered, Results, TestSet
from pipeline.data.errors import DataError
from pipeline.data.store import load_split
from pipeline.params import ParamsError
from pipeline.report import scorecard
from serving.model.recogniser import Recogniser

SAMPLE = 500
"""Test images, of which every set of pictures is made."""
ATTACKED = 20
REPORT = Path("reports/service")
TOLD = {"name", "version", "source", "sha256"}
"""What the audit has to know of the model."""


class ServiceError(Exception):
    """The service cannot be audited."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.audit_service",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", nargs="?", help="of a running service; without it the champion is served")
    url = parser.parse_args(argv).url
    console = Console()
    try:
        with at(url) as client:
            found, judged = audit(client, console)
    except (ServiceError, serve.ServeError, DataError, ParamsError) as error:
        sys.exit(f"audit: {error}")
    shutil.rmtree(REPORT, ignore_errors=True)
    REPORT.mkdir(parents=True)
    judge.write_report(found, judged, REPORT)
    console.print(scorecard.table(judged.gates))
    refused = scorecard.failed(judged.gates)
    for gate in refused:
        console.print(f"- {scorecard.refusal(gate)}", style="red", markup=False)
    console.print(
        f"{len(refused)} of {len(judged.gates)} gates failed. Where it is close, the 95 % interval of so small a "
        f"sample reaches across the threshold, on either side. The report: {REPORT / 'index.html'}"
    )
    if refused:
        sys.exit(1)


@contextlib.contextmanager
def at(url: str | None) -> Iterator[httpx.Client]:
    """A client for the service at ``url``, or for the champion, served as long as the context lasts."""
    key = os.environ.get("INKWELL_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    serving = contextlib.nullcontext(url.rstrip("/")) if url else serve.running(serve.find(params.load("data.source")))
    # a connection that expires while another thread is about to use it is closed under that thread's hands
    limits = httpx.Limits(keepalive_expiry=None)
    with (
        serving as base,
        httpx.Client(base_url=base, headers=headers, timeout=30, limits=limits, trust_env=bool(url)) as client,
    ):
        yield client


def model_of(client: httpx.Client) -> dict[str, Any]:
    """What the service says of its model. Raises ServiceError where no recogniser answers, or it wants a key."""
    try:
        response = client.get("/model")
        if response.status_code == 401:
            raise ServiceError(f"{client.base_url} asks for a key: give one of its own in INKWELL_API_KEY")
        told = response.raise_for_status().json()
        if lacking := TOLD.difference(told if isinstance(told, dict) else ()):
            raise ValueError(f"its /model lacks {', '.join(sorted(lacking))}")
        return dict(told)
    except (httpx.HTTPError, ValueError) as error:
        raise ServiceError(f"no digit recogniser answers at {client.base_url}: {error}") from error


def audit(client: httpx.Client, console: Console) -> tuple[Results, judge.Judged]:
    """Ask the service about a sample of every kind of picture of the source that it learnt from; judge its answers."""
    source, learnt = params.load("data.source"), model_of(client)["source"]
    if source != learnt:
        raise ServiceError(
            f"params.yaml is about {source}, but {client.base_url} learnt from {learnt}: `make run DATA={learnt}` first"
        )
    if not paths.SAMPLES.exists():
        raise ServiceError(f"the test images of {source} are not here: `dvc repro preprocess` makes them")
    return ask(client, console)


def ask(client: httpx.Client, console: Console) -> tuple[Results, judge.Judged]:
    """Ask about a sample of params.yaml's source, whatever the service learnt from, and judge its answers."""
    model = model_of(client)
    network = model["name"]
    source, seed, bootstrap, default, own = params.load(
        "data.source", "audit.seed", "audit.bootstrap", "gates.default", f"gates.{network}"
    )
    samples = pd.read_parquet(paths.SAMPLES)
    asker = OverHttp(client)
    test = sampled(asker, samples, seed)
    sets = [*picture_sets(test), *attacks(test, model)]
    console.print(f"Asking {client.base_url} about {len(test.labels)} test images of {source} in {len(sets)} forms.")
    answers = {one.name: answered(asker, one) for one in track(sets, "asking", console=console, transient=True)}
    found = Results(
        **vars(test),
        network=network,
        source=source,
        version=model["version"],
        sets={TEST: Answered(np.arange(len(test.labels)), test.predictions)} | answers,
        bootstrap=bootstrap,
    )
    return found, judge.judge(found, samples, params.thresholds(default, own, source), sampled=True)


def sampled(asker: OverHttp, samples: pd.DataFrame, seed: int) -> TestSet:
    """A sample of the test images, the same each time, and what the service answers for them."""
    images, labels = load_split(paths.PROCESSED, TEST)
    rows = np.sort(np.random.default_rng(seed).choice(len(images), min(SAMPLE, len(images)), replace=False))
    test = samples.query("split == 'test'").sort_values("row", ignore_index=True)
    return asked(asker, images[rows], labels[rows], test.iloc[rows].reset_index(drop=True), seed)


def attacks(test: TestSet, model: dict[str, Any]) -> list[PictureSet]:
    """The sets that need gradients, where the model that is served is at hand; else none."""
    file = paths.CANDIDATES / model["name"] / "model.onnx"
    if not file.is_file() or (recogniser := Recogniser(file)).sha256 != model["sha256"]:
        return []
    return with_gradients(test, paths.TRAINED / model["name"], recogniser, ATTACKED)


if __name__ == "__main__":
    main()
