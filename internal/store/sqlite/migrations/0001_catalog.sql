-- +goose Up

-- Times are milliseconds since 1970 in UTC. Every key begins with the workspace.

CREATE TABLE workspace (
  ws         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  currency   TEXT    NOT NULL,
  created_at INTEGER NOT NULL
);

CREATE TABLE api_key (
  ws         INTEGER NOT NULL,
  id         TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  role       TEXT    NOT NULL,
  hash       TEXT    NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER,
  PRIMARY KEY (ws, id)
);

CREATE TABLE import (
  ws            INTEGER NOT NULL,
  no            INTEGER NOT NULL,
  id            TEXT    NOT NULL,
  state         TEXT    NOT NULL,
  door          TEXT    NOT NULL,
  source        TEXT    NOT NULL,
  mode          INTEGER NOT NULL,
  format        TEXT    NOT NULL,
  source_name   TEXT    NOT NULL,
  file_key      TEXT    NOT NULL,
  file_size     INTEGER NOT NULL,
  sha256        TEXT    NOT NULL,
  rows          INTEGER NOT NULL,
  sliced        INTEGER NOT NULL,
  small         INTEGER NOT NULL,
  fault_code    TEXT    NOT NULL,
  fault_message TEXT    NOT NULL,
  created_by    TEXT    NOT NULL,
  created_at    INTEGER NOT NULL,
  started_at    INTEGER,
  completed_at  INTEGER,
  updated_at    INTEGER NOT NULL,
  version       INTEGER NOT NULL,
  definition    BLOB,
  layout        BLOB,
  PRIMARY KEY (ws, no),
  UNIQUE (ws, id)
);

-- The sweep asks for these every few seconds; nearly every import has ended.
CREATE INDEX import_moving ON import (ws, no)
  WHERE state IN ('received', 'slicing', 'running', 'pausing', 'terminating');

CREATE TABLE batch (
  ws          INTEGER NOT NULL,
  import_no   INTEGER NOT NULL,
  pass        TEXT    NOT NULL,
  no          INTEGER NOT NULL,
  state       TEXT    NOT NULL,
  offset      INTEGER NOT NULL,
  length      INTEGER NOT NULL,
  first_row   INTEGER NOT NULL,
  first_line  INTEGER NOT NULL,
  rows        INTEGER NOT NULL,
  job_id      INTEGER NOT NULL,
  epoch       INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  next_row    INTEGER NOT NULL,
  next_line   INTEGER NOT NULL,
  next_seq    INTEGER NOT NULL,
  created     INTEGER NOT NULL,
  updated     INTEGER NOT NULL,
  unchanged   INTEGER NOT NULL,
  deleted     INTEGER NOT NULL,
  failed      INTEGER NOT NULL,
  skipped     INTEGER NOT NULL,
  held        INTEGER NOT NULL,
  errors      INTEGER NOT NULL,
  warnings    INTEGER NOT NULL,
  warned      INTEGER NOT NULL,
  beat        INTEGER,
  node        TEXT    NOT NULL,
  PRIMARY KEY (ws, import_no, pass, no)
);

-- The bodies come last: what does not fit beside the counts lies in a chain of
-- overflow pages that nobody follows who does not ask for a body.
CREATE TABLE page (
  ws        INTEGER NOT NULL,
  import_no INTEGER NOT NULL,
  pass      TEXT    NOT NULL,
  batch     INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  first_row INTEGER NOT NULL,
  last_row  INTEGER NOT NULL,
  rows      INTEGER NOT NULL,
  created   INTEGER NOT NULL,
  updated   INTEGER NOT NULL,
  unchanged INTEGER NOT NULL,
  deleted   INTEGER NOT NULL,
  failed    INTEGER NOT NULL,
  skipped   INTEGER NOT NULL,
  held      INTEGER NOT NULL,
  errors    INTEGER NOT NULL,
  warnings  INTEGER NOT NULL,
  warned    INTEGER NOT NULL,
  format    INTEGER NOT NULL,
  codes     TEXT,             -- JSON object, NULL for none
  outcomes  BLOB,
  images    BLOB,
  PRIMARY KEY (ws, import_no, pass, batch, seq)
);

-- What a look-up reads comes first, the documents last. gtin is the 14 digits as
-- a number; gtin_seq is 0 where the number identifies the item and a number of
-- the item's own where several share it, so that one index both finds and
-- forbids. Absent keys are NULL and in no index.
CREATE TABLE item (
  nid        INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: a handle read a moment ago names this item or none
  ws         INTEGER NOT NULL,
  kind       INTEGER NOT NULL,
  hash       INTEGER NOT NULL,
  import_no  INTEGER NOT NULL,
  row        INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  live_state INTEGER NOT NULL,
  gtin       INTEGER,
  gtin_seq   INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  id         TEXT    NOT NULL,
  sku        TEXT,
  slug       TEXT,
  ref        TEXT,
  doc        TEXT    NOT NULL,
  live       TEXT
);

CREATE UNIQUE INDEX item_id   ON item (ws, kind, id);
CREATE UNIQUE INDEX item_sku  ON item (ws, kind, sku)            WHERE sku  IS NOT NULL;
CREATE UNIQUE INDEX item_slug ON item (ws, kind, slug)           WHERE slug IS NOT NULL;
CREATE UNIQUE INDEX item_ref  ON item (ws, kind, ref)            WHERE ref  IS NOT NULL;
CREATE UNIQUE INDEX item_gtin ON item (ws, kind, gtin, gtin_seq) WHERE gtin IS NOT NULL;
