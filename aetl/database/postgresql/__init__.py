"""A schema on a PostgreSQL server as the database."""

from aetl.database.postgresql.database import open_database

__all__ = ["open_database"]
