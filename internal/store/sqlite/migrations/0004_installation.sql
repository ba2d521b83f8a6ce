-- +goose Up

-- One row: what tells this database from every other. Files are marked with it, so
-- that no two databases keep theirs in one place.
CREATE TABLE installation (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id  TEXT    NOT NULL
);

INSERT INTO installation VALUES (1, lower(hex(randomblob(16))));
