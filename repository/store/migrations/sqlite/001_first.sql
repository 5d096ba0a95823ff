CREATE TABLE owner (name TEXT NOT NULL);

CREATE TABLE topics (
  topic    INTEGER PRIMARY KEY,
  name     TEXT    NOT NULL,
  topic_id TEXT    NOT NULL UNIQUE,
  gone     INTEGER NOT NULL DEFAULT 0,
  purged_at INTEGER
);

CREATE TABLE positions (
  topic       INTEGER NOT NULL,
  partition   INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  marks       INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

CREATE TABLE insights (
  seq           INTEGER PRIMARY KEY,
  id            INTEGER NOT NULL,
  key           TEXT    NOT NULL,
  kind          TEXT    NOT NULL,
  aggregate     TEXT    NOT NULL,
  definition    TEXT    NOT NULL,
  group_id      INTEGER NOT NULL,
  group_values  TEXT    NOT NULL,
  window_start  INTEGER NOT NULL,
  window_end    INTEGER NOT NULL,
  final         INTEGER NOT NULL,
  revision      INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  document      TEXT    NOT NULL,
  topic         INTEGER NOT NULL,
  partition     INTEGER NOT NULL,
  source_offset INTEGER NOT NULL,
  UNIQUE (window_start, id)
);
CREATE INDEX insights_by_aggregate ON insights (aggregate, kind, final, window_start, seq);
CREATE INDEX insights_by_kind ON insights (kind, final, window_start, seq);
CREATE INDEX insights_by_group ON insights (window_start, group_id);

CREATE TABLE insight_terms (
  term         INTEGER NOT NULL,
  window_start INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  PRIMARY KEY (term, window_start, seq)
) WITHOUT ROWID;

CREATE TABLE windows (
  aggregate    TEXT    NOT NULL,
  kind         TEXT    NOT NULL,
  definition   TEXT    NOT NULL,
  window_start INTEGER NOT NULL,
  topic        INTEGER NOT NULL,
  partition    INTEGER NOT NULL,
  window_end   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  changes      INTEGER NOT NULL,
  PRIMARY KEY (aggregate, kind, definition, window_start, topic, partition)
) WITHOUT ROWID;
CREATE INDEX windows_by_start ON windows (aggregate, kind, window_start, definition);

CREATE TABLE dead_letters (
  topic            INTEGER NOT NULL,
  partition        INTEGER NOT NULL,
  letter_offset    INTEGER NOT NULL,
  stage            TEXT    NOT NULL,
  code             TEXT    NOT NULL,
  reason           TEXT    NOT NULL,
  source_topic     TEXT    NOT NULL,
  source_partition INTEGER NOT NULL,
  source_offset    INTEGER NOT NULL,
  last_offset      INTEGER NOT NULL,
  failed_at        INTEGER NOT NULL,
  truncated        INTEGER NOT NULL,
  bytes            INTEGER NOT NULL,
  replays          INTEGER NOT NULL,
  late_for         TEXT    NOT NULL,
  PRIMARY KEY (topic, partition, letter_offset)
);
CREATE INDEX dead_letters_by_time ON dead_letters (failed_at, partition, letter_offset);
CREATE INDEX dead_letters_by_stage ON dead_letters (stage, failed_at, partition, letter_offset);
CREATE INDEX dead_letters_by_code ON dead_letters (code, failed_at, partition, letter_offset);

CREATE TABLE dead_letter_totals (
  topic     INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  stage     TEXT    NOT NULL,
  code      TEXT    NOT NULL,
  letters   INTEGER NOT NULL,
  last_at   INTEGER NOT NULL,
  PRIMARY KEY (topic, partition, stage, code)
) WITHOUT ROWID;

CREATE TABLE dead_letter_rates (
  slot      INTEGER NOT NULL,
  topic     INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  stage     TEXT    NOT NULL,
  code      TEXT    NOT NULL,
  letters   INTEGER NOT NULL,
  PRIMARY KEY (slot, topic, partition, stage, code)
) WITHOUT ROWID;
