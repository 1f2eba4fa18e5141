-- What changed in a source's tables from one version to the next: held, decided, taken.
CREATE TABLE schema_changes (
    source_id  uuid NOT NULL REFERENCES sources ON DELETE CASCADE,
    number     integer NOT NULL, -- counts from 1 for each source
    org_id     uuid NOT NULL,
    table_id   uuid NOT NULL,
    table_name text NOT NULL, -- of another table of the source; empty for its own
    kind       text NOT NULL CHECK (kind IN ('drift', 'shrinkage')),
    status     text NOT NULL
        CHECK (status IN ('pending', 'accepted', 'rejected', 'taken', 'superseded')),
    is_open    boolean NOT NULL DEFAULT true, -- the source still says so, and it is not published
    detail     jsonb NOT NULL,
    run_id     uuid NOT NULL, -- the last that saw it
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen  timestamptz NOT NULL DEFAULT now(),
    decided_by text,
    decided_at timestamptz,
    PRIMARY KEY (source_id, number)
);
SELECT ${prefix}_chassis.organization_table('schema_changes');
CREATE INDEX open_schema_changes ON schema_changes (source_id) WHERE is_open;

-- Digest of what in the config decides on the columns: another one means that they were asked for.
ALTER TABLE sync_runs ADD COLUMN shape text;
CREATE INDEX sync_runs_by_source ON sync_runs (source_id, ended_at);
