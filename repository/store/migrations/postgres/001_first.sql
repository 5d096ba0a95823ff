CREATE TABLE owner (name TEXT NOT NULL);

CREATE TABLE topics (
  topic    INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name     TEXT    NOT NULL,
  topic_id TEXT    NOT NULL UNIQUE,
  gone     BOOLEAN NOT NULL DEFAULT false,
  purged_at TIMESTAMPTZ
);

CREATE TABLE positions (
  topic       INTEGER NOT NULL,
  partition   INTEGER NOT NULL,
  next_offset BIGINT NOT NULL,
  marks       BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, partition)
);

CREATE TABLE insights (
  seq           BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id            BIGINT      NOT NULL,
  key           TEXT COLLATE "C" NOT NULL,
  kind          TEXT COLLATE "C" NOT NULL,
  aggregate     TEXT COLLATE "C" NOT NULL,
  definition    TEXT COLLATE "C" NOT NULL,
  group_id      BIGINT NOT NULL,
  group_values  TEXT    NOT NULL,
  window_start  TIMESTAMPTZ NOT NULL,
  window_end    TIMESTAMPTZ NOT NULL,
  final         BOOLEAN NOT NULL,
  revision      BIGINT NOT NULL,
  updated_at    TIMESTAMPTZ NOT NULL,
  document      TEXT    NOT NULL,
  topic         INTEGER NOT NULL,
  partition     INTEGER NOT NULL,
  source_offset BIGINT NOT NULL,
  UNIQUE (window_start, id)
) WITH (fillfactor = 85); -- room for revisions
CREATE INDEX insights_by_aggregate ON insights (aggregate, kind, final, window_start, seq);
CREATE INDEX insights_by_kind ON insights (kind, final, window_start, seq);
CREATE INDEX insights_by_group ON insights (window_start, group_id);

CREATE TABLE insight_terms (
  term         BIGINT NOT NULL,
  window_start TIMESTAMPTZ NOT NULL,
  seq          BIGINT NOT NULL,
  PRIMARY KEY (term, window_start, seq)
);

CREATE TABLE windows (
  aggregate    TEXT COLLATE "C" NOT NULL,
  kind         TEXT COLLATE "C" NOT NULL,
  definition   TEXT COLLATE "C" NOT NULL,
  window_start TIMESTAMPTZ NOT NULL,
  topic        INTEGER NOT NULL,
  partition    INTEGER NOT NULL,
  window_end   TIMESTAMPTZ NOT NULL,
  updated_at   TIMESTAMPTZ NOT NULL,
  changes      BIGINT NOT NULL,
  PRIMARY KEY (aggregate, kind, definition, window_start, topic, partition)
);
CREATE INDEX windows_by_start ON windows (aggregate, kind, window_start, definition);

CREATE TABLE dead_letters (
  topic            INTEGER NOT NULL,
  partition        INTEGER NOT NULL,
  letter_offset    BIGINT NOT NULL,
  stage            TEXT COLLATE "C" NOT NULL,
  code             TEXT COLLATE "C" NOT NULL,
  reason           TEXT    NOT NULL,
  source_topic     TEXT    NOT NULL,
  source_partition INTEGER NOT NULL,
  source_offset    BIGINT NOT NULL,
  last_offset      BIGINT NOT NULL,
  failed_at        TIMESTAMPTZ NOT NULL,
  truncated        INTEGER NOT NULL,
  bytes            BIGINT NOT NULL,
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
  stage     TEXT COLLATE "C" NOT NULL,
  code      TEXT COLLATE "C" NOT NULL,
  letters   BIGINT NOT NULL,
  last_at   TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (topic, partition, stage, code)
);

CREATE TABLE dead_letter_rates (
  slot      BIGINT NOT NULL,
  topic     INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  stage     TEXT COLLATE "C" NOT NULL,
  code      TEXT COLLATE "C" NOT NULL,
  letters   BIGINT NOT NULL,
  PRIMARY KEY (slot, topic, partition, stage, code)
);
