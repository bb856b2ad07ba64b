"""The URI of an MLflow store: as an absolute one, as it may be shown, and where the artifacts of its runs go."""

import os
from pathlib import Path
from urllib.parse import urlsplit

SQLITE = "sqlite"
SERVERS = ("http", "https", "databricks", "databricks-uc", "uc")
"""Schemes of stores that say themselves where artifacts go."""
ARTIFACTS = "mlartifacts"


def kind(uri: str) -> str:
    """A store's scheme without its driver, such as "postgresql"; "" of a path."""
    return uri if uri in SERVERS else urlsplit(uri).scheme.partition("+")[0]


def absolute(uri: str, root: Path) -> str:
    """A store's URI with the path of a file or a folder as an absolute one, a relative one being one in ``root``."""
    if kind(uri) == SQLITE:
        from sqlalchemy.engine import make_url

        url = make_url(uri)
        if url.database in (None, "", ":memory:"):
            return uri
        path = str((root / str(url.database)).resolve()).replace("%", "%25").replace("?", "%3F")
        return f"{uri.partition('://')[0]}:///{path}{uri[len(uri.partition('?')[0]) :]}"
    if kind(uri) in ("", "file"):
        from mlflow.utils.file_utils import local_file_uri_to_path

        return (root / local_file_uri_to_path(uri)).resolve().as_uri()
    return uri


def sqlite_file(uri: str) -> Path | None:
    """The file of an SQLite store, by its absolute URI; None of another store."""
    from sqlalchemy.engine import make_url

    if kind(uri) != SQLITE:
        return None
    database = make_url(uri).database
    return Path(database) if database and database != ":memory:" else None


def is_database(uri: str) -> bool:
    """Whether a store is a database server that every client talks to by itself."""
    return kind(uri) not in (SQLITE, "", "file", *SERVERS)


def shown(uri: str) -> str:
    """A store's URI as it may be printed: without the user's password."""
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@", 1) if parts.password else uri


def artifacts(uri: str, root: Path, source: str) -> str | None:
    """Where the artifacts of an experiment go that is new in a store; None where the store settles that.

    A database alone settles nothing, and what MLflow would take is a folder `mlruns` wherever the process stands: so
    MLFLOW_DEFAULT_ARTIFACT_ROOT is taken, as `mlflow server` takes it, and else the project's own folder.
    """
    if file := sqlite_file(uri):
        return (file.parent / ARTIFACTS / source).as_uri()
    if not is_database(uri):
        return None
    given = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    return f"{given.rstrip('/')}/{source}" if given else (root.resolve() / ARTIFACTS / source).as_uri()
