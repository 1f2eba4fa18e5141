-- name: insert_upload(upload_id, org_id, filename, size_bytes, sha256)!
-- One that comes again is as new: it lies unused from now on.
WITH added AS (
    INSERT INTO uploads (id, org_id, filename, size_bytes, sha256)
    VALUES (:upload_id, :org_id, :filename, :size_bytes, :sha256)
    ON CONFLICT (id) DO NOTHING
    RETURNING id)
UPDATE uploads SET created_at = now(), is_stored = true
WHERE id = :upload_id AND NOT EXISTS (SELECT FROM added);

-- name: lock_uploads(org_id)!
-- Held until the transaction ends: uploads of an organisation are counted one after the other.
SELECT take_lock('uploads.' || :org_id::uuid);

-- name: held_uploads(upload_id)^
-- What the organisation has; `is_known`: this one is among what is stored.
SELECT count(*) AS files, coalesce(sum(size_bytes) FILTER (WHERE is_stored), 0)::bigint AS bytes,
    coalesce(bool_or(id = :upload_id AND is_stored), false) AS is_known
FROM uploads;

-- name: note_erased_file(upload_id)!
UPDATE uploads SET is_stored = false WHERE id = :upload_id;

-- name: get_upload(upload_id)^
SELECT id AS upload_id, filename, size_bytes, sha256 FROM uploads WHERE id = :upload_id;

-- name: hold_upload(upload_id)$
-- It is not erased before the transaction ends in which a source takes it.
SELECT id FROM uploads WHERE id = :upload_id FOR SHARE;

-- name: lock_upload(upload_id)$
SELECT id FROM uploads WHERE id = :upload_id FOR UPDATE;

-- name: unused_uploads(grace)
-- Of all organisations.
SELECT org_id, id FROM uploads
WHERE created_at < now() - make_interval(secs => :grace)
    AND NOT EXISTS (SELECT FROM sources WHERE config ->> 'upload_id' = uploads.id::text)
    AND NOT EXISTS (SELECT FROM source_uploads WHERE upload_id = uploads.id)
ORDER BY created_at
LIMIT 1000;

-- name: erase_upload(upload_id, grace)$
DELETE FROM uploads
WHERE id = :upload_id AND created_at <= now() - make_interval(secs => :grace)
    AND NOT EXISTS (SELECT FROM sources WHERE config ->> 'upload_id' = :upload_id::uuid::text)
    AND NOT EXISTS (SELECT FROM source_uploads WHERE upload_id = :upload_id)
RETURNING id;

-- name: forget_upload(source_id, upload_id)!
-- Keeps what another source reads.
DELETE FROM uploads WHERE id = :upload_id
    AND NOT EXISTS (SELECT FROM sources
        WHERE id <> :source_id AND config ->> 'upload_id' = :upload_id::uuid::text)
    AND NOT EXISTS (SELECT FROM source_uploads
        WHERE source_id <> :source_id AND upload_id = :upload_id);

-- name: lock_sources(org_id)!
-- Held until the transaction ends: sources of an organisation are counted one after the other.
SELECT take_lock('sources.' || :org_id::uuid);

-- name: count_sources()$
SELECT count(*) FROM sources;

-- name: begin_source(source_id, org_id, name, name_key, source_type, config, secrets, other_tables, digest, warnings)!
-- Nobody sees it before its name is reserved.
INSERT INTO sources (id, org_id, name, name_key, source_type, config, secrets, other_tables, digest,
    warnings, status)
VALUES (:source_id, :org_id, :name, :name_key, :source_type, :config, :secrets, :other_tables,
    :digest, :warnings, 'creating')
ON CONFLICT (id) DO NOTHING;

-- name: take_lease(source_id, lease, seconds)$
-- Whether nobody else holds one; of a source that does not exist nobody does.
WITH taken AS (
    UPDATE sources SET changed_by = :lease, changed_until = now() + make_interval(secs => :seconds)
    WHERE id = :source_id AND (changed_until > now()) IS NOT TRUE
    RETURNING id
)
SELECT EXISTS (SELECT FROM taken) OR NOT EXISTS (SELECT FROM sources WHERE id = :source_id);

-- name: give_lease_back(source_id, lease)!
UPDATE sources SET changed_by = NULL, changed_until = NULL
WHERE id = :source_id AND changed_by = :lease;

-- name: finish_source(source_id)!
-- Not while it is taken back.
UPDATE sources SET status = 'ready'
WHERE id = :source_id AND status = 'creating' AND (changed_until > now()) IS NOT TRUE;

-- name: get_unfinished(source_id)^
SELECT * FROM sources WHERE id = :source_id AND status = 'creating';

-- name: delete_unfinished(source_id, lease)!
DELETE FROM sources WHERE id = :source_id AND status = 'creating' AND changed_by = :lease;

-- name: interrupted()
-- Of all organisations: what a crash, or a neighbour that was away, left half made or half gone.
SELECT org_id, id, status FROM sources
WHERE status = 'deleting'
    OR (status = 'creating' AND created_at < now() - interval '1 minute')
ORDER BY id
LIMIT 100;

-- name: is_read_by_others(source_id, upload_id)$
SELECT EXISTS (SELECT FROM sources
    WHERE id <> :source_id AND config ->> 'upload_id' = :upload_id::uuid::text)
    OR EXISTS (SELECT FROM source_uploads
        WHERE source_id <> :source_id AND upload_id = :upload_id);

-- name: source_uploads(source_id)
SELECT upload.id AS upload_id, filename, size_bytes, sha256, former
FROM source_uploads AS held JOIN uploads AS upload ON upload.id = held.upload_id
WHERE source_id = :source_id
ORDER BY position;

-- name: lock_source(source_id, lease)^
SELECT * FROM sources
WHERE id = :source_id AND status = 'ready' AND changed_by = :lease FOR UPDATE;

-- name: put_source_upload(source_id, org_id, upload_id, former)!
-- Behind all others; the source is locked.
INSERT INTO source_uploads (source_id, position, org_id, upload_id, former)
SELECT :source_id::uuid, coalesce(max(position), 0) + 1, :org_id::uuid, :upload_id::uuid,
    :former::boolean
FROM source_uploads WHERE source_id = :source_id
ON CONFLICT (source_id, upload_id)
    DO UPDATE SET former = excluded.former, position = excluded.position;

-- name: retire_source_uploads(source_id)!
UPDATE source_uploads SET former = true WHERE source_id = :source_id;

-- name: forget_source_upload(source_id, upload_id)!
DELETE FROM source_uploads WHERE source_id = :source_id AND upload_id = :upload_id;

-- name: note_upload(source_id, upload_id, warnings)!
UPDATE sources SET warnings = :warnings, revision = revision + 1,
    config = jsonb_set(config, '{upload_id}', to_jsonb(:upload_id::uuid::text))
WHERE id = :source_id;

-- name: let_go(source_id, upload_id, reading)!
-- Affects no row when the source reads another file by now.
UPDATE sources SET let_go = :reading
WHERE id = :source_id AND config ->> 'upload_id' = :upload_id::uuid::text;

-- name: what_is_let_go(source_id)$
SELECT let_go FROM sources WHERE id = :source_id;

-- name: reading_upload(upload_id)
SELECT * FROM sources WHERE config ->> 'upload_id' = :upload_id::uuid::text
    OR id IN (SELECT source_id FROM source_uploads WHERE upload_id = :upload_id AND NOT former);

-- name: fingerprint_of(source_id, version_id)$
-- Of a version that a sync has written, or has found to be still the truth.
SELECT version ->> 'fingerprint'
FROM sync_runs, jsonb_array_elements(event -> 'tables') AS version
WHERE source_id = :source_id AND outcome = 'synced'
    AND version ->> 'version_id' = :version_id::uuid::text
LIMIT 1;

-- name: get_source(source_id)^
SELECT *, (SELECT count(*) FROM schema_changes
        WHERE source_id = sources.id AND status = 'pending') AS pending_changes
FROM sources WHERE id = :source_id;

-- name: list_sources(after_key, after_id, page)
SELECT *, (SELECT count(*) FROM schema_changes
        WHERE source_id = sources.id AND status = 'pending') AS pending_changes
FROM sources
WHERE status <> 'creating'
    AND (:after_key::text IS NULL OR (name_key, id) > (:after_key, :after_id::uuid))
ORDER BY name_key, id
LIMIT :page;

-- name: sources_with(source_ids)
SELECT * FROM sources WHERE id = ANY (:source_ids::uuid[]) AND status = 'ready';

-- name: update_source(source_id, lease, revision, name, name_key, config, secrets, other_tables, warnings)!
UPDATE sources SET name = :name, name_key = :name_key, config = :config, secrets = :secrets,
    other_tables = :other_tables, warnings = :warnings, revision = revision + 1
WHERE id = :source_id AND revision = :revision AND status = 'ready' AND changed_by = :lease;

-- name: keep_other_tables(source_id, other_tables)!
UPDATE sources SET other_tables = :other_tables WHERE id = :source_id;

-- name: set_status(source_id, status)!
UPDATE sources SET status = :status WHERE id = :source_id;

-- name: delete_source(source_id)!
DELETE FROM sources WHERE id = :source_id;

-- name: claim_step(step_id, org_id, run_id, attempt, source_id, holder, repeated, silence, relation)^
-- The lease under which the step is worked on. None: the attempt of the run was called off, the
-- outcome is known, or it is asked for again while another message holds the step and its holder sent
-- a heartbeat within `silence` seconds, or the step is parked. With the source, as `get_source` gives it, and its uploads: the config's
-- (`former` is null), then all others. `relation` is remembered as the table to be written.
WITH run AS (
    SELECT EXISTS (
        SELECT FROM cancelled_runs WHERE run_id = :run_id AND attempt >= :attempt
    ) AS is_cancelled
), claimed AS (
    INSERT INTO sync_runs AS step (step_id, org_id, run_id, source_id, holder, begun)
    SELECT :step_id, :org_id, :run_id, :source_id, :holder, ARRAY[:relation]
    FROM run WHERE NOT is_cancelled
    ON CONFLICT (step_id) DO UPDATE
    SET lease = step.lease + 1, started_at = now(), heartbeat_at = now(), holder = excluded.holder,
        begun = step.begun || excluded.begun
    WHERE step.outcome IS NULL AND (NOT :repeated OR step.holder = excluded.holder OR (
        step.heartbeat_at < now() - make_interval(secs => :silence::float8)
        AND NOT EXISTS (SELECT FROM waiting_syncs AS wait
            WHERE wait.step_id = step.step_id AND wait.resumed_at IS NULL)
    ))
    RETURNING lease
)
SELECT run.is_cancelled, claimed.lease, source.*,
    (SELECT count(*) FROM schema_changes
     WHERE source_id = source.id AND status = 'pending') AS pending_changes,
    (SELECT jsonb_agg(file ORDER BY place) FROM (
        SELECT 0 AS place, jsonb_build_object('upload_id', id, 'filename', filename,
            'size_bytes', size_bytes, 'sha256', sha256, 'former', NULL) AS file
        FROM uploads WHERE id = (source.config ->> 'upload_id')::uuid
        UNION ALL
        SELECT position, jsonb_build_object('upload_id', id, 'filename', filename,
            'size_bytes', size_bytes, 'sha256', sha256, 'former', former)
        FROM source_uploads AS held JOIN uploads ON uploads.id = held.upload_id
        WHERE held.source_id = source.id
    ) AS files) AS files
FROM run LEFT JOIN claimed ON true
LEFT JOIN sources source ON claimed.lease IS NOT NULL AND source.id = :source_id;

-- name: heartbeat(step_id, run_id, attempt, holder, silence)$
-- Notes that the holder works on the step. Whether it has to stop: the attempt was called off, or
-- another message has taken the step over and its holder is alive.
WITH held AS (
    UPDATE sync_runs SET heartbeat_at = now()
    WHERE step_id = :step_id AND holder = :holder AND outcome IS NULL
)
SELECT EXISTS (
    SELECT FROM cancelled_runs WHERE run_id = :run_id AND attempt >= :attempt
) OR EXISTS (
    SELECT FROM sync_runs WHERE step_id = :step_id AND holder <> :holder AND outcome IS NULL
        AND heartbeat_at >= now() - make_interval(secs => :silence::float8)
);

-- name: step(step_id)^
SELECT outcome, event FROM sync_runs WHERE step_id = :step_id;

-- name: finish_step(step_id, lease, outcome, event, written, source_id, error, warnings, settles, shape)^
-- What was begun for the step and is not its outcome; no row when the step was claimed anew or
-- finished meanwhile. What a load found replaces what was said of the source before; null: nothing
-- was loaded. `settles`: the source is as it is published; `shape` is that of the version which the
-- step has loaded.
WITH finished AS (
    UPDATE sync_runs SET outcome = :outcome, event = :event, ended_at = now(),
        begun = ARRAY(SELECT relation FROM unnest(begun) AS relation
                      WHERE relation <> ALL (:written::text[])),
        shape = coalesce(:shape::text, shape)
    WHERE step_id = :step_id AND lease = :lease AND outcome IS NULL
    RETURNING begun
), noted AS (
    UPDATE sources SET last_error = :error::text,
        warnings = coalesce(:warnings::jsonb, warnings),
        last_synced_at = CASE WHEN :error::text IS NULL THEN now() ELSE last_synced_at END
    FROM finished WHERE id = :source_id
), settled AS (
    UPDATE schema_changes SET is_open = false,
        status = CASE WHEN status IN ('pending', 'rejected') THEN 'superseded' ELSE status END
    FROM finished WHERE :settles::boolean AND source_id = :source_id AND is_open
)
SELECT begun FROM finished;

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

-- name: cancel_run(run_id, org_id, attempt)!
INSERT INTO cancelled_runs AS run (run_id, org_id, attempt) VALUES (:run_id, :org_id, :attempt)
ON CONFLICT (run_id) DO UPDATE SET attempt = greatest(run.attempt, excluded.attempt);

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

-- name: lock_changes(source_id)$
-- The number of the source's newest change, 0 without any; null when the source is gone.
SELECT (SELECT coalesce(max(number), 0) FROM schema_changes WHERE source_id = sources.id)
FROM sources WHERE id = :source_id FOR NO KEY UPDATE;

-- name: open_changes(source_id)
SELECT * FROM schema_changes WHERE source_id = :source_id AND is_open ORDER BY number;

-- name: insert_change(source_id, number, org_id, table_id, table_name, kind, status, detail, run_id)!
INSERT INTO schema_changes
    (source_id, number, org_id, table_id, table_name, kind, status, detail, run_id)
VALUES (:source_id, :number, :org_id, :table_id, :table_name, :kind, :status, :detail, :run_id);

-- name: see_change(source_id, number, status, detail, run_id)!
UPDATE schema_changes SET status = :status, detail = :detail, run_id = :run_id, last_seen = now()
WHERE source_id = :source_id AND number = :number;

-- name: settle_changes(source_id, still)!
-- All that the source does not say any more, or that is published by now.
UPDATE schema_changes SET is_open = false,
    status = CASE WHEN status IN ('pending', 'rejected') THEN 'superseded' ELSE status END
WHERE source_id = :source_id AND is_open AND number <> ALL (:still::integer[]);

-- name: list_changes(source_id, before, page)
SELECT * FROM schema_changes
WHERE source_id = :source_id AND (:before::integer IS NULL OR number < :before)
ORDER BY number DESC
LIMIT :page;

-- name: lock_change(source_id, number)^
SELECT * FROM schema_changes WHERE source_id = :source_id AND number = :number FOR UPDATE;

-- name: decide_change(source_id, number, status, actor)!
UPDATE schema_changes SET status = :status, decided_by = :actor, decided_at = now()
WHERE source_id = :source_id AND number = :number;

-- name: added_columns(source_id)
-- Columns of the source's own table that came later, with the last time at which they came.
SELECT entry ->> 'name' AS name, max(first_seen) AS since
FROM schema_changes, jsonb_array_elements(detail -> 'added') AS entry
WHERE source_id = :source_id AND table_id = :source_id AND status IN ('accepted', 'taken')
GROUP BY 1;

-- name: note_shape(step_id, shape)!
UPDATE sync_runs SET shape = :shape WHERE step_id = :step_id;

-- name: shape_of(source_id, version_id)$
SELECT shape FROM sync_runs
WHERE source_id = :source_id AND outcome = 'synced' AND NOT (event -> 'unchanged')::boolean
    AND event -> 'tables' @> jsonb_build_array(
        jsonb_build_object('version_id', :version_id::uuid::text))
ORDER BY ended_at DESC
LIMIT 1;

-- name: outcomes_of_runs(run_ids)
-- The versions that syncs of these runs made.
SELECT step_id, event -> 'tables' AS tables FROM sync_runs
WHERE run_id = ANY (:run_ids::uuid[])
    AND outcome = 'synced' AND NOT (event -> 'unchanged')::boolean;

-- name: forget_runs(run_ids, kept)!
WITH cancelled AS (DELETE FROM cancelled_runs WHERE run_id = ANY (:run_ids::uuid[]))
DELETE FROM sync_runs WHERE run_id = ANY (:run_ids::uuid[]) AND step_id <> ALL (:kept::uuid[]);
