CREATE TABLE pipelines (
    id                 uuid PRIMARY KEY,
    org_id             uuid NOT NULL,
    name               text NOT NULL,
    name_key           text NOT NULL, -- case-folded NFKC of the name, made by the service
    source_ids         uuid[] NOT NULL,
    transformation_ids uuid[] NOT NULL,
    digest             text NOT NULL, -- of the request that made it: a repeat must say the same
    revision           integer NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (org_id, name_key)
);
SELECT ${prefix}_chassis.organization_table('pipelines');

CREATE TABLE runs (
    id          uuid PRIMARY KEY,
    org_id      uuid NOT NULL,
    pipeline_id uuid, -- no foreign key: the history outlives its pipeline
    status      text NOT NULL,
    writes      uuid[] NOT NULL,
    actor       text NOT NULL,
    revision    integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    state       jsonb NOT NULL
);
CREATE INDEX runs_recent ON runs (org_id, created_at DESC, id DESC);
CREATE INDEX runs_of_pipeline ON runs (pipeline_id, created_at DESC) WHERE pipeline_id IS NOT NULL;
CREATE INDEX runs_open ON runs (created_at)
    WHERE status IN ('queued', 'syncing', 'transforming', 'publishing');
SELECT ${prefix}_chassis.organization_table('runs');

CREATE TABLE run_events (
    org_id  uuid NOT NULL,
    run_id  uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    version integer NOT NULL,
    type    text NOT NULL,
    time    timestamptz NOT NULL,
    data    jsonb NOT NULL,
    PRIMARY KEY (run_id, version)
);
SELECT ${prefix}_chassis.organization_table('run_events');

-- One row for each table that an admitted run will write: two runs never write the same one.
CREATE TABLE run_claims (
    table_id uuid PRIMARY KEY,
    org_id   uuid NOT NULL,
    run_id   uuid NOT NULL REFERENCES runs ON DELETE CASCADE
);
CREATE INDEX run_claims_of_run ON run_claims (run_id);
SELECT ${prefix}_chassis.organization_table('run_claims');
