-- The slots that a run holds, and since when it waits for one (null: nothing of it could begin).
ALTER TABLE runs ADD COLUMN syncs integer NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN builds integer NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN waits_since timestamptz;
-- Whether all that it does is to wait for other systems: it does not count as under way then.
ALTER TABLE runs ADD COLUMN waits_outside boolean NOT NULL DEFAULT false;
-- Row-level security hides all rows from the migrator unless it is lifted off the owner.
ALTER TABLE runs NO FORCE ROW LEVEL SECURITY;
UPDATE runs SET
    syncs = (SELECT count(*) FROM jsonb_array_elements(state -> 'steps') AS step
        WHERE step -> 'view' ->> 'status' = 'running' AND step -> 'view' ->> 'kind' = 'sync'),
    builds = (SELECT count(*) FROM jsonb_array_elements(state -> 'steps') AS step
        WHERE step -> 'view' ->> 'status' = 'running' AND step -> 'view' ->> 'kind' = 'transform')
WHERE status IN ('syncing', 'transforming');

DROP INDEX runs_open;
CREATE INDEX runs_queued ON runs (org_id, created_at) WHERE status = 'queued';
CREATE INDEX runs_active ON runs (org_id, created_at)
    WHERE status IN ('syncing', 'transforming', 'publishing');
CREATE INDEX runs_waiting ON runs (org_id, waits_since) WHERE waits_since IS NOT NULL;

-- One row for each table that a run will write, from the moment it is queued: the runs of a table
-- stand in line for it, and one at most holds it. A run that writes nothing stands alone.
ALTER TABLE run_claims ADD COLUMN is_held boolean NOT NULL DEFAULT false;
ALTER TABLE run_claims ADD COLUMN since timestamptz NOT NULL DEFAULT now();
ALTER TABLE run_claims DROP CONSTRAINT run_claims_pkey;
DROP INDEX run_claims_of_run;
ALTER TABLE run_claims ADD PRIMARY KEY (run_id, table_id);
ALTER TABLE run_claims NO FORCE ROW LEVEL SECURITY;
UPDATE run_claims SET is_held = true;
INSERT INTO run_claims (table_id, org_id, run_id, since)
SELECT table_id, org_id, id, created_at
FROM runs, unnest(CASE WHEN writes = '{}' THEN ARRAY[id] ELSE writes END) AS table_id
WHERE status = 'queued'
ON CONFLICT DO NOTHING;
ALTER TABLE run_claims FORCE ROW LEVEL SECURITY;
ALTER TABLE runs FORCE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX run_claims_held ON run_claims (table_id) WHERE is_held;
CREATE INDEX run_claims_line ON run_claims (org_id, table_id, is_held DESC, since, run_id);

-- Whether a run may hold so many slots of its organisation. Who asks is alone until his transaction
-- ends; being volatile, the function sees what all before him have committed.
CREATE FUNCTION has_room(
    organization uuid, run uuid, syncs bigint, builds bigint, max_syncs bigint, max_builds bigint
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('room of ' || organization::text, 0));
    RETURN (
        SELECT (has_room.syncs = 0 OR has_room.syncs + coalesce(sum(other.syncs), 0) <= max_syncs)
           AND (has_room.builds = 0 OR has_room.builds + coalesce(sum(other.builds), 0) <= max_builds)
        FROM runs other
        WHERE other.org_id = organization AND other.id <> run
          AND other.status IN ('syncing', 'transforming', 'publishing')
    );
END $$;
