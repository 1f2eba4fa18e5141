-- Recipes with their versions, what they read, and the steps of runs that build them.

CREATE TABLE transformations (
    transformation_id uuid PRIMARY KEY REFERENCES warehouse_tables ON DELETE CASCADE,
    org_id            uuid NOT NULL,
    name              text NOT NULL,
    name_key          text NOT NULL,
    description       text,
    version           integer NOT NULL,
    digest            text NOT NULL,
    last_run_at       timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN transformations.transformation_id IS 'Also the id of the table that it writes.';
COMMENT ON COLUMN transformations.digest IS 'Of the request that created it: is a repeat the same?';
CREATE INDEX transformations_by_name ON transformations (org_id, name_key, transformation_id);

CREATE TABLE transformation_versions (
    transformation_id uuid NOT NULL REFERENCES transformations ON DELETE CASCADE,
    version           integer NOT NULL,
    org_id            uuid NOT NULL,
    recipe            jsonb NOT NULL,
    saved_by          text NOT NULL,
    saved_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (transformation_id, version)
);
COMMENT ON COLUMN transformation_versions.recipe IS 'Names tables by their live names.';

-- What the newest version of a recipe reads. A table that somebody reads cannot be dropped.
CREATE TABLE table_reads (
    transformation_id uuid NOT NULL REFERENCES transformations ON DELETE CASCADE,
    table_id          uuid NOT NULL REFERENCES warehouse_tables,
    org_id            uuid NOT NULL,
    PRIMARY KEY (transformation_id, table_id)
);
CREATE INDEX table_reads_by_table ON table_reads (table_id);

CREATE TABLE transformation_runs (
    step_id           uuid PRIMARY KEY,
    org_id            uuid NOT NULL,
    run_id            uuid NOT NULL,
    transformation_id uuid NOT NULL,
    lease             integer NOT NULL DEFAULT 1,
    outcome           text,
    event             jsonb,
    started_at        timestamptz NOT NULL DEFAULT now(),
    finished_at       timestamptz
);
COMMENT ON COLUMN transformation_runs.lease IS 'Grows with every claim; only the newest commits.';

CREATE TABLE cancelled_runs (
    run_id       uuid PRIMARY KEY,
    org_id       uuid NOT NULL,
    cancelled_at timestamptz NOT NULL DEFAULT now()
);

SELECT ${prefix}_chassis.organization_table('transformations');
SELECT ${prefix}_chassis.organization_table('transformation_versions');
SELECT ${prefix}_chassis.organization_table('table_reads');
SELECT ${prefix}_chassis.organization_table('transformation_runs');
SELECT ${prefix}_chassis.organization_table('cancelled_runs');
