-- +goose Up

ALTER TABLE import ADD COLUMN files_gone INTEGER NOT NULL DEFAULT 0;

CREATE INDEX import_files ON import (coalesce(completed_at, updated_at)) WHERE files_gone = 0;
CREATE INDEX import_file  ON import (ws, file_key) WHERE file_key <> '';

-- Imports that have not ended and need not move are counted beside those of
-- import_moving.
CREATE INDEX import_standing ON import (state) WHERE state IN ('planned', 'paused', 'rolling_back');

CREATE TABLE workspace_user (
  ws          INTEGER NOT NULL,
  id          TEXT    NOT NULL,
  name        TEXT    NOT NULL,
  role        TEXT    NOT NULL,
  password    TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  disabled_at INTEGER,
  PRIMARY KEY (ws, id),
  UNIQUE (ws, name)
);

-- The newest number of a workspace's audit log: numbers are not used again when
-- entries are forgotten.
CREATE TABLE audit_counter (
  ws   INTEGER PRIMARY KEY,
  last INTEGER NOT NULL
);

CREATE TABLE audit (
  ws         INTEGER NOT NULL,
  no         INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  actor      TEXT    NOT NULL,
  actor_id   TEXT    NOT NULL,
  door       TEXT    NOT NULL,
  request_id TEXT    NOT NULL,
  action     TEXT    NOT NULL,
  object     TEXT    NOT NULL,
  detail     BLOB,             -- JSON object, NULL for none
  PRIMARY KEY (ws, no)
);

CREATE INDEX audit_object ON audit (ws, object, no);
CREATE INDEX audit_age    ON audit (at);

CREATE TABLE node (
  name       TEXT    PRIMARY KEY,
  version    TEXT    NOT NULL,
  workers    INTEGER NOT NULL,
  held       TEXT    NOT NULL,
  started_at INTEGER NOT NULL,
  beat       INTEGER NOT NULL
) WITHOUT ROWID;

-- What is put here is never committed: it asks for room on the disk.
CREATE TABLE probe (
  filling BLOB NOT NULL
);
