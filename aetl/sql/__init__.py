"""Dialect files become statements: the only place where a name is quoted and a template filled. Pure."""

from aetl.sql.dialect import Dialect, read_dialect
from aetl.sql.statements import LEDGER, Statements

__all__ = ["LEDGER", "Dialect", "Statements", "read_dialect"]
