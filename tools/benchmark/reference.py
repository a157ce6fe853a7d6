"""The reference's tables in plain SQLite, for what is measured beside aetl."""

from __future__ import annotations

import sqlite3
from pathlib import Path

CREATE = """
CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  started_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
  meta TEXT
);
CREATE TABLE events (
  id TEXT NOT NULL PRIMARY KEY,
  ts TEXT NOT NULL,
  session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  round INTEGER,
  kind TEXT NOT NULL,
  role TEXT NOT NULL,
  content TEXT NOT NULL,
  raw_text TEXT,
  meta TEXT
);
CREATE INDEX events_session_ts ON events (session_id, ts);
CREATE INDEX events_session_kind_ts ON events (session_id, kind, ts);
CREATE TABLE event_parents (
  child_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  parent_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  PRIMARY KEY (child_id, parent_id)
);
CREATE INDEX event_parents_parent ON event_parents (parent_id);
"""
COLUMNS = {
    "sessions": ("id", "started_at", "meta"),
    "events": ("id", "ts", "session_id", "round", "kind", "role", "content", "raw_text", "meta"),
    "event_parents": ("child_id", "parent_id"),
}
INSERT = {
    table: f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for table, columns in COLUMNS.items()
}
SELECT = {table: f"SELECT {', '.join(columns)} FROM {table}" for table, columns in COLUMNS.items()}


def connect(path: Path) -> sqlite3.Connection:
    """A file, new or with these tables, and the settings of issue 5's LIMIT; transactions are the caller's."""
    is_new = not path.exists()
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in (
        "page_size = 4096",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "cache_size = -65536",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {setting}")
    if is_new:
        connection.executescript(CREATE)
    return connection
