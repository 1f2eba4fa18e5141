-- The catalogue: what is a table, what readers see of it, and under which display name.

CREATE TABLE warehouse_tables (
    table_id     uuid PRIMARY KEY,
    org_id       uuid NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('source', 'transform')),
    display_name text NOT NULL,
    display_key  text NOT NULL,
    expected     jsonb NOT NULL,
    version_id   uuid,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT display_name_is_unique UNIQUE (org_id, display_key)
);
COMMENT ON COLUMN warehouse_tables.display_key IS 'Two names are the same when their keys are.';
COMMENT ON COLUMN warehouse_tables.expected IS 'Columns until a version is published.';
COMMENT ON COLUMN warehouse_tables.version_id IS 'The published version; null: never published.';

CREATE TABLE table_versions (
    version_id    uuid PRIMARY KEY,
    org_id        uuid NOT NULL,
    table_id      uuid NOT NULL REFERENCES warehouse_tables ON DELETE CASCADE,
    relation      text NOT NULL,
    columns       jsonb NOT NULL,
    rows          bigint NOT NULL,
    bytes         bigint NOT NULL,
    fingerprint   text NOT NULL,
    published_at  timestamptz NOT NULL DEFAULT now(),
    superseded_at timestamptz
);
CREATE INDEX table_versions_by_table ON table_versions (table_id, published_at);
ALTER TABLE warehouse_tables ADD FOREIGN KEY (version_id) REFERENCES table_versions;

-- What a run's publishing came to; the first row to be written is the truth.
CREATE TABLE publications (
    run_id     uuid PRIMARY KEY,
    org_id     uuid NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('published', 'aborted', 'failed')),
    event      jsonb NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now()
);

SELECT ${prefix}_chassis.organization_table('warehouse_tables');
SELECT ${prefix}_chassis.organization_table('table_versions');
SELECT ${prefix}_chassis.organization_table('publications');
