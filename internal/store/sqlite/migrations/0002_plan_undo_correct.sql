-- +goose Up

-- Imports before this had one round, and wrote in the pass apply.
ALTER TABLE import ADD COLUMN round         INTEGER NOT NULL DEFAULT 0;
ALTER TABLE import ADD COLUMN pass          TEXT    NOT NULL DEFAULT '';
ALTER TABLE import ADD COLUMN cut           INTEGER NOT NULL DEFAULT 0;
ALTER TABLE import ADD COLUMN fingerprint   TEXT    NOT NULL DEFAULT '';
ALTER TABLE import ADD COLUMN feed          TEXT    NOT NULL DEFAULT '';
ALTER TABLE import ADD COLUMN extra         INTEGER NOT NULL DEFAULT 0;
ALTER TABLE import ADD COLUMN undo_of       TEXT    NOT NULL DEFAULT '';
ALTER TABLE import ADD COLUMN undone_by     TEXT    NOT NULL DEFAULT '';
ALTER TABLE import ADD COLUMN duplicate_of  TEXT    NOT NULL DEFAULT '';
ALTER TABLE import ADD COLUMN request_key   TEXT    NOT NULL DEFAULT '';
ALTER TABLE import ADD COLUMN images_gone   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE import ADD COLUMN outcomes_gone INTEGER NOT NULL DEFAULT 0;
ALTER TABLE import ADD COLUMN options       BLOB;
ALTER TABLE import ADD COLUMN findings      BLOB;

UPDATE import SET feed = source, pass = iif(sliced, 'apply', '');

DROP INDEX import_moving;

CREATE INDEX import_moving ON import (ws, no)
  WHERE state IN ('received', 'slicing', 'planning', 'running', 'pausing', 'terminating');

CREATE INDEX        import_feed    ON import (ws, feed, no);
CREATE INDEX        import_content ON import (ws, sha256, no);
CREATE INDEX        import_undo    ON import (ws, undo_of, no)  WHERE undo_of <> '';
CREATE UNIQUE INDEX import_request ON import (ws, request_key) WHERE request_key <> '';

-- Retention asks for the oldest that still have something to take.
CREATE INDEX import_images   ON import (coalesce(completed_at, updated_at)) WHERE images_gone = 0;
CREATE INDEX import_outcomes ON import (coalesce(completed_at, updated_at)) WHERE outcomes_gone = 0;

ALTER TABLE batch ADD COLUMN input TEXT NOT NULL DEFAULT '';

ALTER TABLE item ADD COLUMN created_no INTEGER NOT NULL DEFAULT 0; -- 0 for items from before it was kept

-- A column that is added comes behind the bodies, and to read it is to follow
-- their overflow chains: 3,900 pages of the file in the place of 85 for the
-- headers of a million rows. So the table is made anew, the bodies last again.
CREATE TABLE page_new (
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
  causes    TEXT,             -- JSON list, of older pages an object; NULL for none
  fields    TEXT,             -- JSON list, NULL for none
  digest    BLOB,
  outcomes  BLOB,
  images    BLOB,
  PRIMARY KEY (ws, import_no, pass, batch, seq)
);

INSERT INTO page_new (ws, import_no, pass, batch, seq, first_row, last_row, rows,
  created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, causes, outcomes, images)
SELECT ws, import_no, pass, batch, seq, first_row, last_row, rows,
  created, updated, unchanged, deleted, failed, skipped, held, errors, warnings, warned, format, codes, outcomes, images
FROM page ORDER BY rowid;

DROP TABLE page;
ALTER TABLE page_new RENAME TO page;

CREATE TABLE correction (
  ws        INTEGER NOT NULL,
  import_no INTEGER NOT NULL,
  row       INTEGER NOT NULL,
  cells     TEXT    NOT NULL, -- JSON object, from index of column to text
  made_by   TEXT    NOT NULL,
  made_at   INTEGER NOT NULL,
  PRIMARY KEY (ws, import_no, row)
) WITHOUT ROWID;

CREATE TABLE fix (
  ws        INTEGER NOT NULL,
  import_no INTEGER NOT NULL,
  no        INTEGER NOT NULL,
  code      TEXT    NOT NULL,
  heading   TEXT    NOT NULL,
  old       TEXT    NOT NULL,
  new       TEXT    NOT NULL,
  since     INTEGER NOT NULL, -- the first round whose runs it is laid over
  made_by   TEXT    NOT NULL,
  made_at   INTEGER NOT NULL,
  PRIMARY KEY (ws, import_no, no)
) WITHOUT ROWID;

-- Requests that carry a key of their own. status is 0 while one is in flight.
CREATE TABLE request (
  ws       INTEGER NOT NULL,
  key      TEXT    NOT NULL,
  hash     TEXT    NOT NULL,
  status   INTEGER NOT NULL,
  began_at INTEGER NOT NULL,
  beat     INTEGER NOT NULL,
  header   BLOB,
  body     BLOB,
  PRIMARY KEY (ws, key)
);

CREATE INDEX request_age ON request (began_at);
