-- What lists of runs are filtered by, and when a run ended: its history is kept from then on.

ALTER TABLE runs
    ADD COLUMN kind text GENERATED ALWAYS AS (state ->> 'kind') STORED,
    ADD COLUMN trigger_type text GENERATED ALWAYS AS (state #>> '{trigger,type}') STORED,
    ADD COLUMN ended_at timestamptz; -- by the database's clock; null while the run is open

-- The sources and transformations of a run. Not found by `writes`: what is behind row-level
-- security is looked up in an array row by row, index or not.
CREATE TABLE run_targets (
    run_id    uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    target_id uuid NOT NULL,
    org_id    uuid NOT NULL,
    PRIMARY KEY (run_id, target_id)
);
CREATE INDEX run_targets_by_target ON run_targets (target_id);
SELECT ${prefix}_chassis.organization_table('run_targets');

-- Row-level security hides all rows from the migrator unless it is lifted off the owner.
ALTER TABLE runs NO FORCE ROW LEVEL SECURITY;
ALTER TABLE run_targets NO FORCE ROW LEVEL SECURITY;
UPDATE runs SET ended_at = coalesce((state ->> 'finished_at')::timestamptz, created_at)
WHERE status IN ('succeeded', 'failed', 'cancelled');
INSERT INTO run_targets (run_id, target_id, org_id)
SELECT DISTINCT id, target_id, org_id FROM runs, unnest(writes) AS target_id;
ALTER TABLE run_targets FORCE ROW LEVEL SECURITY;
ALTER TABLE runs FORCE ROW LEVEL SECURITY;

CREATE INDEX runs_ended ON runs (org_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_unwell ON runs (org_id, created_at DESC, id DESC)
    WHERE status IN ('failed', 'cancelled');
CREATE INDEX runs_unended ON runs (org_id, created_at DESC, id DESC)
    WHERE status IN ('queued', 'syncing', 'transforming', 'publishing');
