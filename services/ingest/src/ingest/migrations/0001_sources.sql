CREATE TABLE uploads (
    id         uuid PRIMARY KEY,
    org_id     uuid NOT NULL,
    filename   text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
SELECT ${prefix}_chassis.organization_table('uploads');

CREATE TABLE sources (
    id             uuid PRIMARY KEY, -- also the id of the table that it fills
    org_id         uuid NOT NULL,
    name           text NOT NULL,
    name_key       text NOT NULL, -- case-folded NFKC of the name, made by the service
    source_type    text NOT NULL,
    config         jsonb NOT NULL,
    status         text NOT NULL DEFAULT 'ready',
    digest         text NOT NULL, -- of the request that made it: a repeat must say the same
    revision       integer NOT NULL DEFAULT 1,
    warnings       jsonb NOT NULL,
    last_synced_at timestamptz,
    last_error     text,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sources_by_name ON sources (org_id, name_key, id);
SELECT ${prefix}_chassis.organization_table('sources');

CREATE TABLE sync_runs (
    step_id    uuid PRIMARY KEY,
    org_id     uuid NOT NULL,
    run_id     uuid NOT NULL,
    source_id  uuid NOT NULL, -- no foreign key: the history outlives its source
    lease      integer NOT NULL DEFAULT 1, -- grows with every claim; only the newest commits
    outcome    text CHECK (outcome IN ('synced', 'failed')),
    event      jsonb,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);
SELECT ${prefix}_chassis.organization_table('sync_runs');

CREATE TABLE cancelled_runs (
    run_id       uuid PRIMARY KEY,
    org_id       uuid NOT NULL,
    cancelled_at timestamptz NOT NULL DEFAULT now()
);
SELECT ${prefix}_chassis.organization_table('cancelled_runs');
