"""A project's folder that was renamed, moved or copied, with its MLflow store in it.

MLflow writes down where a run's artifacts are as a whole path, so that a store which lies elsewhere now would go on
reading and writing in the old place.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from pipeline.tracking.address import ARTIFACTS

PLACES = {
    "experiments": ["artifact_location"],
    "runs": ["artifact_uri"],
    "logged_models": ["artifact_location"],
    "model_versions": ["source", "storage_location"],
}
"""The tables and columns of MLflow's database that tell where artifacts are."""
ROOTS = """
SELECT substr(artifact_location, 1, length(artifact_location) - length(name))
FROM (
    SELECT artifact_location, substr(name, length('inkwell')) AS name FROM experiments WHERE name LIKE 'inkwell/%'
    UNION SELECT artifact_location, '/0' FROM experiments WHERE experiment_id = 0
)
WHERE artifact_location LIKE '%/' || :folder || name
"""


def settle(database: Path) -> None:
    """Make the artifacts of an SQLite store lie beside it, wherever it was made.

    Artifacts that somebody keeps in another place, such as a bucket, stay there.
    """
    here = (database.parent / ARTIFACTS).as_uri()
    if not elsewhere(database, here):
        return
    with FileLock(f"{database}.lock"), closing(connect(database)) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        for root in roots(connection) - {here}:
            for table, columns in PLACES.items():
                for column in columns:
                    connection.execute(
                        f"UPDATE {table} SET {column} = :here || substr({column}, :length + 1) "
                        f"WHERE substr({column}, 1, :length + 1) = :root || '/'",
                        {"here": here, "root": root, "length": len(root)},
                    )
            told = f"MLflow's artifacts were at {root}: they are looked for at {here} now."
            Console(stderr=True).print(told, style="yellow", soft_wrap=True, markup=False, highlight=False)


def elsewhere(database: Path, here: str) -> bool:
    """Whether a store says that artifacts of its own lie in another folder than the one beside it."""
    with closing(connect(database)) as connection:
        return bool(roots(connection) - {here})


def connect(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=20)


def roots(connection: sqlite3.Connection) -> set[str]:
    """The folders in which a store has artifacts of the pipeline, or of the experiment `Default`."""
    return {root for (root,) in connection.execute(ROOTS, {"folder": ARTIFACTS})}
