-- +goose Up

-- One row: what tells this database from every other. Files are marked with it, so
-- that no two databases keep theirs in one place.
CREATE TABLE installation (
  one boolean PRIMARY KEY CHECK (one),
  id  text COLLATE "C" NOT NULL
);

INSERT INTO installation VALUES (true, replace(gen_random_uuid()::text, '-', ''));
