"""Open MLflow on the training runs of the store in use, the project's own or the one that MLFLOW_TRACKING_URI names:

    python -m pipeline.ui

A store is shown by a server on HOST:PORT, 127.0.0.1:5000; of a tracking server only the address is told.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from pipeline import params
from pipeline.params import ParamsError
from pipeline.tracking import address, store
from pipeline.tracking.away import StoreError

VIEW = "{address}/#/experiments/{experiment}/runs?workflowType=machine_learning"
"""The page of an experiment's training runs; without the end, MLflow shows what it has for language models."""


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    try:
        source = params.load("data.source")
        client = store.open_store()
    except (ParamsError, StoreError) as error:
        sys.exit(f"ui: {error}")
    uri = store.tracking_uri()
    experiment = store.experiment(client, source)
    if not client.search_runs([experiment], max_results=1):
        print("MLflow knows of no run yet: make refill tells it of the released champion, make run makes runs.")
    if uri.startswith(("http://", "https://")):
        print(VIEW.format(address=address.shown(uri).rstrip("/"), experiment=experiment))
        return
    host, port = os.environ.get("HOST", "127.0.0.1"), os.environ.get("PORT", "5000")
    print(f"{VIEW.format(address=f'http://{host}:{port}', experiment=experiment)}  (Ctrl-C ends it)", flush=True)
    command = ["mlflow", "ui", "--backend-store-uri", uri, "--workers", "1", "--host", host, "--port", port]
    os.execvpe(
        sys.executable, [sys.executable, "-m", *command], os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    )


if __name__ == "__main__":
    main()
