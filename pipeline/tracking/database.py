"""A database server as MLflow's store: reached within seconds, and its tables made by one process alone."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.tracking import address
from pipeline.tracking.away import PATIENCE, AwayError, StoreError, is_away, within

if TYPE_CHECKING:
    from sqlalchemy import Connection

PACKAGES = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""What to install for a driver, where its module's name does not say."""
LOCK = 1_768_845_164
"""The number of PostgreSQL's lock that is held while the tables are made."""


@contextmanager
def ready(uri: str) -> Iterator[None]:
    """Reach a database, in which the body may open MLflow's store, alone if its tables are still to be made.

    MLflow makes them without a lock, and of two processes that meet there one fails. Raises what `connect` does.
    """
    import sqlalchemy

    with connect(uri) as connection:
        if connection.dialect.name == "postgresql" and not has_tables(connection):
            connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({LOCK})"))  # held until the connection ends
        yield


def connect(uri: str) -> "Connection":
    """A connection of its own, without a transaction.

    Raises StoreError where the driver is missing or MLflow knows no such store, AwayError where the database does not
    answer within seconds. MLflow by itself tries for two minutes.
    """
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    for name in ("mlflow.store.db.utils", "alembic"):  # they show each attempt's traceback
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        engine = sqlalchemy.create_engine(uri, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        return within(PATIENCE, engine.connect)
    except ModuleNotFoundError as error:
        package = PACKAGES.get(str(error.name), error.name)
        raise StoreError(
            f"MLflow's store {address.shown(uri)} needs a driver that is not installed: `pip install '{package}'`"
        ) from error
    except (NoSuchModuleError, ArgumentError) as error:
        raise StoreError(f"MLFLOW_TRACKING_URI={address.shown(uri)}: MLflow knows no store of this kind") from error
    except Exception as error:
        if is_away(error):
            raise AwayError(uri, error) from error
        raise


def has_tables(connection: "Connection") -> bool:
    """Whether MLflow finished making its tables: its last act is the experiment `Default`."""
    import sqlalchemy

    if not sqlalchemy.inspect(connection).has_table("experiments"):
        return False
    return bool(connection.scalar(sqlalchemy.text("SELECT count(*) FROM experiments")))
