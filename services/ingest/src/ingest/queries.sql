-- name: insert_upload(upload_id, org_id, filename, size_bytes, sha256)!
INSERT INTO uploads (id, org_id, filename, size_bytes, sha256)
VALUES (:upload_id, :org_id, :filename, :size_bytes, :sha256)
ON CONFLICT (id) DO NOTHING;

-- name: get_upload(upload_id)^
SELECT id AS upload_id, filename, size_bytes, sha256 FROM uploads WHERE id = :upload_id;

-- name: forget_upload(source_id, upload_id)!
-- Keeps what another source reads.
DELETE FROM uploads WHERE id = :upload_id
    AND NOT EXISTS (SELECT FROM sources
        WHERE id <> :source_id AND config ->> 'upload_id' = :upload_id::uuid::text);

-- name: begin_source(source_id, org_id, name, name_key, source_type, config, secrets, other_tables, digest, warnings)!
-- Nobody sees it before its name is reserved.
INSERT INTO sources (id, org_id, name, name_key, source_type, config, secrets, other_tables, digest,
    warnings, status)
VALUES (:source_id, :org_id, :name, :name_key, :source_type, :config, :secrets, :other_tables,
    :digest, :warnings, 'creating')
ON CONFLICT (id) DO NOTHING;

-- name: finish_source(source_id)!
UPDATE sources SET status = 'ready' WHERE id = :source_id AND status = 'creating';

-- name: lock_unfinished(source_id)^
SELECT * FROM sources WHERE id = :source_id AND status = 'creating' FOR UPDATE;

-- name: interrupted()
-- Of all organisations: what a crash, or a neighbour that was away, left half made or half gone.
SELECT org_id, id, status FROM sources
WHERE status = 'deleting'
    OR (status = 'creating' AND created_at < now() - interval '1 minute')
ORDER BY id
LIMIT 100;

-- name: is_read_by_others(source_id, upload_id)$
SELECT EXISTS (SELECT FROM sources
    WHERE id <> :source_id AND config ->> 'upload_id' = :upload_id::uuid::text);

-- name: let_go(source_id, upload_id, reading)!
-- Affects no row when the source reads another file by now.
UPDATE sources SET let_go = :reading
WHERE id = :source_id AND config ->> 'upload_id' = :upload_id::uuid::text;

-- name: what_is_let_go(source_id)$
SELECT let_go FROM sources WHERE id = :source_id;

-- name: reading_upload(upload_id)
SELECT * FROM sources WHERE config ->> 'upload_id' = :upload_id::uuid::text;

-- name: fingerprint_of(source_id, version_id)$
-- Of a version that a sync has written, or has found to be still the truth.
SELECT version ->> 'fingerprint'
FROM sync_runs, jsonb_array_elements(event -> 'tables') AS version
WHERE source_id = :source_id AND outcome = 'synced'
    AND version ->> 'version_id' = :version_id::uuid::text
LIMIT 1;

-- name: get_source(source_id)^
SELECT * FROM sources WHERE id = :source_id;

-- name: list_sources(after_key, after_id, page)
SELECT * FROM sources
WHERE status <> 'creating'
    AND (:after_key::text IS NULL OR (name_key, id) > (:after_key, :after_id::uuid))
ORDER BY name_key, id
LIMIT :page;

-- name: sources_with(source_ids)
SELECT * FROM sources WHERE id = ANY (:source_ids::uuid[]) AND status = 'ready';

-- name: update_source(source_id, revision, name, name_key, config, secrets, other_tables, warnings)!
UPDATE sources SET name = :name, name_key = :name_key, config = :config, secrets = :secrets,
    other_tables = :other_tables, warnings = :warnings, revision = revision + 1
WHERE id = :source_id AND revision = :revision AND status = 'ready';

-- name: keep_other_tables(source_id, other_tables)!
UPDATE sources SET other_tables = :other_tables WHERE id = :source_id;

-- name: set_status(source_id, status)!
UPDATE sources SET status = :status WHERE id = :source_id;

-- name: delete_source(source_id)!
DELETE FROM sources WHERE id = :source_id;

-- name: note_sync(source_id, error)!
UPDATE sources SET last_error = :error::text,
    last_synced_at = CASE WHEN :error::text IS NULL THEN now() ELSE last_synced_at END
WHERE id = :source_id;

-- name: claim_step(step_id, org_id, run_id, source_id)$
-- The lease under which the step is worked on; null when its outcome is known.
INSERT INTO sync_runs AS step (step_id, org_id, run_id, source_id)
VALUES (:step_id, :org_id, :run_id, :source_id)
ON CONFLICT (step_id) DO UPDATE SET lease = step.lease + 1, started_at = now()
WHERE step.outcome IS NULL
RETURNING lease;

-- name: step(step_id)^
SELECT outcome, event FROM sync_runs WHERE step_id = :step_id;

-- name: finish_step(step_id, lease, outcome, event, written)!
-- Affects no row when the step was claimed anew or finished meanwhile.
UPDATE sync_runs SET outcome = :outcome, event = :event, ended_at = now(),
    begun = ARRAY(SELECT relation FROM unnest(begun) AS relation
                  WHERE relation <> ALL (:written::text[]))
WHERE step_id = :step_id AND lease = :lease AND outcome IS NULL;

-- name: begin_version(step_id, relation)!
UPDATE sync_runs SET begun = array_append(begun, :relation) WHERE step_id = :step_id;

-- name: begun_versions(step_id)$
SELECT begun FROM sync_runs WHERE step_id = :step_id;

-- name: end_version(step_id, relation)!
UPDATE sync_runs SET begun = array_remove(begun, :relation) WHERE step_id = :step_id;

-- name: end_sessions(relation)$
-- A session outlives its client while it waits for a lock or counts; what it wrote could not be
-- dropped before it ends.
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
WHERE usename = session_user AND application_name = :relation;

-- name: cancel_run(run_id, org_id)!
INSERT INTO cancelled_runs (run_id, org_id) VALUES (:run_id, :org_id) ON CONFLICT DO NOTHING;

-- name: is_cancelled(run_id)$
SELECT EXISTS (SELECT 1 FROM cancelled_runs WHERE run_id = :run_id);

-- name: reserve_read(credential, pace, slack, patience)$
-- Seconds until the read that was taken may be made; null: later than `patience`, none was taken.
-- By the clock, not the transaction's time: whoever waited for the row reads the time after that.
INSERT INTO google_quotas AS quota (credential, full_at)
VALUES (:credential, clock_timestamp() + make_interval(secs => :pace::float8))
ON CONFLICT (credential) DO UPDATE
SET full_at = greatest(quota.full_at, clock_timestamp()) + make_interval(secs => :pace::float8)
WHERE quota.full_at - clock_timestamp()
    <= make_interval(secs => :patience::float8 + :slack::float8 - :pace::float8)
RETURNING greatest(extract(epoch FROM full_at - clock_timestamp())::float8 - :slack::float8, 0);

-- name: hold_reads(credential, seconds)!
INSERT INTO google_quotas AS quota (credential, full_at)
VALUES (:credential, clock_timestamp() + make_interval(secs => :seconds::float8))
ON CONFLICT (credential) DO UPDATE SET full_at = greatest(quota.full_at, excluded.full_at);
