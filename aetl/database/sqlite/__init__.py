"""A SQLite file as the database."""

from aetl.database.sqlite.database import open_database

__all__ = ["open_database"]
