-- What aetl left in a SQLite file, by .dump, before its tables followed from the contract.
PRAGMA application_id = 1634038892;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE _aetl_loads (
  load_id INTEGER PRIMARY KEY AUTOINCREMENT,
  blob TEXT NOT NULL,
  etag TEXT NOT NULL,
  created TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('loading', 'loaded', 'failed')),
  started_at TEXT NOT NULL,
  finished_at TEXT,
  seconds REAL,
  bytes INTEGER,
  tables TEXT,
  error TEXT
);
INSERT INTO "_aetl_loads" VALUES(1,'backup_20250301T020000.json','23e044-83f-18288b489efd4000','2025-03-01T02:00:00.000000+00:00','loaded','2026-11-28T01:28:42.154967+00:00','2026-11-28T01:28:42.198292+00:00',0.046,2111,'{"sessions": {"read": 3, "loaded": 3, "unchanged": 0, "rejected": 0}, "events": {"read": 6, "loaded": 6, "unchanged": 0, "rejected": 0}, "event_parents": {"read": 3, "loaded": 3, "unchanged": 0, "rejected": 0}}',NULL);
INSERT INTO "_aetl_loads" VALUES(2,'backup_20250302T020000.json','23e054-687-1828d9dd304c4000','2025-03-02T02:00:00.000000+00:00','failed','2026-11-28T01:28:42.225379+00:00','2026-11-28T01:28:42.226077+00:00',0.013,1671,'{}','events[4]/session_id: ''s77'' refers to no record. --max-rejects N|all loads the rest and keeps the rejects in _aetl_rejects.');
CREATE TABLE _aetl_rejects (
  load_id INTEGER NOT NULL REFERENCES _aetl_loads (load_id) ON DELETE CASCADE,
  table_name TEXT NOT NULL,
  position INTEGER NOT NULL,
  pointer TEXT NOT NULL,
  reason TEXT NOT NULL,
  record TEXT NOT NULL
);
INSERT INTO "_aetl_rejects" VALUES(2,'events',4,'/session_id','''s77'' refers to no record','{"id": "e9", "ts": "2025-03-01T02:00:09+00:00", "session_id": "s77", "round": 9, "kind": "user_prompt", "role": "User", "content": "{\"text\": \"text 9\"}", "raw_text": "text 9", "meta": null}');
CREATE TABLE event_parents (
  child_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  parent_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  PRIMARY KEY (child_id, parent_id)
);
INSERT INTO "event_parents" VALUES('e1','e0');
INSERT INTO "event_parents" VALUES('e3','e2');
INSERT INTO "event_parents" VALUES('e5','e4');
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
INSERT INTO "events" VALUES('e0','2025-03-01T02:00:00+00:00','s0',0,'user_prompt','User','{"text": "text 0"}','text 0',NULL);
INSERT INTO "events" VALUES('e1','2025-03-01T02:00:01+00:00','s0',1,'user_prompt','User','{"text": "text 1"}','text 1',NULL);
INSERT INTO "events" VALUES('e2','2025-03-01T02:00:02+00:00','s1',2,'user_prompt','User','{"text": "text 2"}','text 2',NULL);
INSERT INTO "events" VALUES('e3','2025-03-01T02:00:03+00:00','s1',3,'user_prompt','User','{"text": "text 3"}','text 3',NULL);
INSERT INTO "events" VALUES('e4','2025-03-01T02:00:04+00:00','s2',4,'user_prompt','User','{"text": "text 4"}','text 4',NULL);
INSERT INTO "events" VALUES('e5','2025-03-01T02:00:05+00:00','s2',5,'user_prompt','User','{"text": "text 5"}','text 5',NULL);
CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  started_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
  meta TEXT
);
INSERT INTO "sessions" VALUES('s0','2025-03-01T02:00:00+00:00','{"a": 1}');
INSERT INTO "sessions" VALUES('s1','2025-03-01T02:00:01+00:00','{"a": 1}');
INSERT INTO "sessions" VALUES('s2','2025-03-01T02:00:02+00:00','{"a": 1}');
CREATE INDEX _aetl_loads_blob ON _aetl_loads (blob, etag) WHERE status = 'loaded'
;
CREATE INDEX _aetl_loads_created ON _aetl_loads (created, blob) WHERE status = 'loaded'
;
CREATE INDEX _aetl_rejects_load ON _aetl_rejects (load_id)
;
CREATE INDEX events_session_ts ON events (session_id, ts);
CREATE INDEX events_session_kind_ts ON events (session_id, kind, ts);
CREATE INDEX event_parents_parent ON event_parents (parent_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('_aetl_loads',2);
COMMIT;
