import type { Migration } from '../migrate.js';

/**
 * Tables of the catalogue. All of them can be emptied: the manifests of the stores have everything. Times are
 * rounded outwards to microseconds, so that a search never misses a message; `first_log_time` is exact.
 */
export const catalogueTables: Omit<Migration, 'number'> = {
  name: 'catalogue of recordings',
  sql: `
    CREATE TABLE catalogue_stores (
      store integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      uri text NOT NULL UNIQUE,
      listed_at timestamptz,
      problems integer NOT NULL DEFAULT 0,
      problem text
    );
    CREATE TABLE catalogue_channels (
      channel integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      topic text NOT NULL,
      type text NOT NULL,
      encoding text NOT NULL,
      UNIQUE (topic, type, encoding)
    );
    CREATE INDEX catalogue_channels_type ON catalogue_channels (type);
    CREATE TABLE recordings (
      recording bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      store integer NOT NULL REFERENCES catalogue_stores ON DELETE CASCADE,
      key text NOT NULL,
      manifest_bytes bigint NOT NULL,
      manifest_etag text NOT NULL,
      state text NOT NULL CHECK (state IN ('stored', 'evicted', 'missing')),
      segment text NOT NULL,
      robot text NOT NULL,
      priority text NOT NULL,
      first_at timestamptz,
      last_at timestamptz,
      first_log_time text,
      last_log_time text,
      messages bigint NOT NULL,
      payload_bytes bigint NOT NULL,
      bytes bigint NOT NULL,
      gaps integer NOT NULL,
      gap_messages bigint NOT NULL,
      unclean_end boolean NOT NULL,
      sealed_at timestamptz NOT NULL,
      software text NOT NULL,
      machine text NOT NULL,
      session text NOT NULL,
      evicted_at timestamptz,
      evicted_reason text,
      tags jsonb NOT NULL,
      channels integer[] NOT NULL,
      UNIQUE (store, key)
    );
    CREATE INDEX recordings_time ON recordings (first_at DESC NULLS LAST, recording DESC);
    CREATE INDEX recordings_robot ON recordings (robot, first_at DESC NULLS LAST, recording DESC);
    CREATE INDEX recordings_tags ON recordings USING gin (tags);
    CREATE INDEX recordings_channels ON recordings USING gin (channels);
    CREATE INDEX recordings_bytes ON recordings (bytes);
    CREATE INDEX recordings_state ON recordings (state) WHERE state <> 'stored';
    CREATE TABLE recording_topics (
      recording bigint NOT NULL REFERENCES recordings ON DELETE CASCADE,
      channel integer NOT NULL REFERENCES catalogue_channels,
      messages bigint NOT NULL,
      bytes bigint NOT NULL,
      rate_hz double precision,
      PRIMARY KEY (recording, channel)
    );
    CREATE TABLE recording_events (
      recording bigint NOT NULL REFERENCES recordings ON DELETE CASCADE,
      event text NOT NULL,
      label text NOT NULL,
      at timestamptz NOT NULL,
      from_at timestamptz NOT NULL,
      to_at timestamptz NOT NULL,
      PRIMARY KEY (recording, event)
    );
    CREATE INDEX recording_events_label ON recording_events (label);
    CREATE TABLE recording_gaps (
      recording bigint NOT NULL REFERENCES recordings ON DELETE CASCADE,
      gap text NOT NULL,
      reason text NOT NULL,
      topic text NOT NULL,
      messages bigint,
      first_at timestamptz,
      last_at timestamptz,
      PRIMARY KEY (recording, gap)
    );
    CREATE INDEX recording_gaps_reason ON recording_gaps (reason);
  `,
};
