-- name: receive(message_id)!
-- Affects no row when the message was handled before.
INSERT INTO inbox (message_id) VALUES (:message_id) ON CONFLICT DO NOTHING;

-- name: forget_received()!
-- JetStream never repeats a message that is older than its stream.
DELETE FROM inbox WHERE received_at < now() - interval '15 days';

-- name: run_for_update(run_id)^
SELECT state, revision, now() AS now FROM runs WHERE id = :run_id FOR UPDATE;

-- name: insert_run(run_id, org_id, pipeline_id, status, writes, actor, created_at, state)!
WITH targets AS (
    INSERT INTO run_targets (run_id, target_id, org_id)
    SELECT :run_id, target_id, :org_id FROM unnest(:writes::uuid[]) AS target_id
    ON CONFLICT DO NOTHING
)
INSERT INTO runs (id, org_id, pipeline_id, status, writes, actor, created_at, state)
VALUES (:run_id, :org_id, :pipeline_id, :status, :writes, :actor, :created_at, :state)
ON CONFLICT (id) DO NOTHING;

-- name: update_run(run_id, revision, status, state, look_at, repeats)!
UPDATE runs SET status = :status, state = :state, revision = revision + 1,
    look_at = :look_at, repeats = :repeats,
    ended_at = CASE WHEN :status IN ('succeeded', 'failed', 'cancelled') THEN now() END
WHERE id = :run_id AND revision = :revision;

-- name: quiet_runs(now, batch)
-- Of all organisations (runs in the role orchestrator_system).
SELECT id, org_id FROM runs WHERE look_at <= :now ORDER BY look_at LIMIT :batch;

-- name: lock_quiet_run(run_id, now)^
-- Another replica that looks after it holds it: then there is nothing to do here.
SELECT state, revision, repeats FROM runs WHERE id = :run_id AND look_at <= :now
FOR UPDATE SKIP LOCKED;

-- name: look_later(run_id, look_at)!
UPDATE runs SET look_at = :look_at WHERE id = :run_id;

-- name: insert_run_event(org_id, run_id, version, type, time, data)!
INSERT INTO run_events (org_id, run_id, version, type, time, data)
VALUES (:org_id, :run_id, :version, :type, :time, :data);

-- name: release_claims(run_id)!
DELETE FROM run_claims WHERE run_id = :run_id;

-- name: claim_tables(run_id, org_id, table_ids)!
-- Affects fewer rows than there are tables when another run holds one of them.
INSERT INTO run_claims (table_id, org_id, run_id)
SELECT table_id, :org_id, :run_id FROM unnest(:table_ids::uuid[]) AS table_id
ON CONFLICT (table_id) DO UPDATE SET run_id = excluded.run_id
WHERE run_claims.run_id = excluded.run_id;

-- name: admissible_runs(cap, batch)
-- Queued runs that could start now, the first of every organisation before anybody's second
-- (runs in the role orchestrator_system).
WITH active AS (
    SELECT org_id, count(*) AS runs FROM runs
    WHERE status IN ('syncing', 'transforming', 'publishing') GROUP BY org_id
), waiting AS (
    SELECT run.id, run.org_id, run.created_at,
           row_number() OVER (PARTITION BY run.org_id ORDER BY run.created_at, run.id) AS turn
    FROM runs run
    WHERE run.status = 'queued' AND NOT EXISTS (
        SELECT 1 FROM run_claims claim
        WHERE claim.table_id = ANY (run.writes) AND claim.run_id <> run.id
    ) AND EXISTS (SELECT 1 FROM admission WHERE drained_since IS NULL)
)
SELECT waiting.id, waiting.org_id
FROM waiting LEFT JOIN active USING (org_id)
WHERE waiting.turn + coalesce(active.runs, 0) <= :cap
ORDER BY waiting.turn, waiting.created_at
LIMIT :batch;

-- name: get_run(run_id)^
SELECT state FROM runs WHERE id = :run_id;

-- name: oldest_open_run()$
SELECT min(created_at) FROM runs
WHERE status IN ('queued', 'syncing', 'transforming', 'publishing');

-- name: plan_each_time()$
-- For the filters that are there, until the transaction ends.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: list_runs(pipeline_id, statuses, kinds, triggers, source_id, transformation_id, created_after, created_before, before_time, before_id, page)
-- Without what only the machine needs: versions and their columns are most of a state.
SELECT id, created_at, state - '{published,steps}'::text[] || jsonb_build_object(
    'id', id, 'steps', jsonb_path_query_array(state, '$.steps[*].view')) AS run
FROM runs
WHERE (:pipeline_id::uuid IS NULL OR pipeline_id = :pipeline_id)
  AND (:statuses::text[] IS NULL OR status = ANY (:statuses))
  AND (:kinds::text[] IS NULL OR kind = ANY (:kinds))
  AND (:triggers::text[] IS NULL OR trigger_type = ANY (:triggers))
  AND (:source_id::uuid IS NULL
       OR id IN (SELECT run_id FROM run_targets WHERE target_id = :source_id))
  AND (:transformation_id::uuid IS NULL
       OR id IN (SELECT run_id FROM run_targets WHERE target_id = :transformation_id))
  AND (:created_after::timestamptz IS NULL OR created_at >= :created_after)
  AND (:created_before::timestamptz IS NULL OR created_at < :created_before)
  AND (:before_time::timestamptz IS NULL OR (created_at, id) < (:before_time, :before_id::uuid))
ORDER BY created_at DESC, id DESC
LIMIT :page;

-- name: status_of_run(run_id)$
SELECT status FROM runs WHERE id = :run_id;

-- name: list_run_events(run_id, after_version, page)
SELECT run_id, version, type, time, data FROM run_events
WHERE run_id = :run_id AND version > :after_version
ORDER BY version
LIMIT :page;

-- name: insert_pipeline(pipeline_id, org_id, name, name_key, source_ids, transformation_ids, digest)^
INSERT INTO pipelines (id, org_id, name, name_key, source_ids, transformation_ids, digest)
VALUES (:pipeline_id, :org_id, :name, :name_key, :source_ids, :transformation_ids, :digest)
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: get_pipeline(pipeline_id)^
SELECT pipeline.*, (SELECT max(created_at) FROM runs WHERE pipeline_id = pipeline.id) AS last_run_at,
    schedule.rule, schedule.next_run_at
FROM pipelines pipeline LEFT JOIN schedules schedule ON schedule.pipeline_id = pipeline.id
WHERE pipeline.id = :pipeline_id;

-- name: list_pipelines(after_key, page)
SELECT pipeline.*, (SELECT max(created_at) FROM runs WHERE pipeline_id = pipeline.id) AS last_run_at,
    schedule.rule, schedule.next_run_at
FROM pipelines pipeline LEFT JOIN schedules schedule ON schedule.pipeline_id = pipeline.id
WHERE (:after_key::text IS NULL OR name_key > :after_key)
ORDER BY name_key
LIMIT :page;

-- name: update_pipeline(pipeline_id, if_revision, name, name_key, source_ids, transformation_ids)!
UPDATE pipelines SET
    name = coalesce(:name, name),
    name_key = coalesce(:name_key, name_key),
    source_ids = coalesce(:source_ids, source_ids),
    transformation_ids = coalesce(:transformation_ids, transformation_ids),
    revision = revision + 1
WHERE id = :pipeline_id AND (:if_revision::integer IS NULL OR revision = :if_revision);

-- name: delete_pipeline(pipeline_id, if_revision)!
DELETE FROM pipelines
WHERE id = :pipeline_id AND (:if_revision::integer IS NULL OR revision = :if_revision);

-- name: pipelines_using(target_id)
SELECT name FROM pipelines
WHERE :target_id = ANY (source_ids) OR :target_id = ANY (transformation_ids)
ORDER BY name_key;

-- name: lock_pipeline(pipeline_id)^
SELECT source_ids, transformation_ids FROM pipelines WHERE id = :pipeline_id FOR SHARE;

-- name: set_schedule(pipeline_id, org_id, rule, next_run_at)!
INSERT INTO schedules (pipeline_id, org_id, rule, next_run_at)
VALUES (:pipeline_id, :org_id, :rule, :next_run_at)
ON CONFLICT (pipeline_id) DO UPDATE SET rule = excluded.rule, next_run_at = excluded.next_run_at;

-- name: due_schedules(now, batch)
-- Of all organisations (runs in the role orchestrator_system).
SELECT pipeline_id, org_id FROM schedules WHERE next_run_at <= :now ORDER BY next_run_at LIMIT :batch;

-- name: next_due()$
-- Of all organisations (runs in the role orchestrator_system).
SELECT min(next_run_at) FROM schedules;

-- name: lock_due_schedule(pipeline_id, now)^
-- Another replica that fires it holds it: then there is nothing to do here.
SELECT schedule.rule, schedule.next_run_at, pipeline.source_ids, pipeline.transformation_ids
FROM schedules schedule JOIN pipelines pipeline ON pipeline.id = schedule.pipeline_id
WHERE schedule.pipeline_id = :pipeline_id AND schedule.next_run_at <= :now
FOR UPDATE OF schedule SKIP LOCKED;

-- name: set_next_run(pipeline_id, next_run_at)!
UPDATE schedules SET next_run_at = :next_run_at WHERE pipeline_id = :pipeline_id;

-- name: open_runs_of(pipeline_id)
SELECT status FROM runs
WHERE pipeline_id = :pipeline_id AND status IN ('queued', 'syncing', 'transforming', 'publishing');

-- name: insert_firing(pipeline_id, scheduled_for, org_id, run_id, reason, at)!
INSERT INTO firings (pipeline_id, scheduled_for, org_id, run_id, reason, at)
VALUES (:pipeline_id, :scheduled_for, :org_id, :run_id, :reason, :at)
ON CONFLICT (pipeline_id, scheduled_for) DO NOTHING;

-- name: list_firings(pipeline_id, page)
SELECT scheduled_for, run_id, reason, at FROM firings
WHERE pipeline_id = :pipeline_id ORDER BY scheduled_for DESC LIMIT :page;

-- name: forget_firings()!
-- Of all organisations (runs in the role orchestrator_system).
DELETE FROM firings WHERE at < now() - interval '90 days';

-- name: is_open()$
-- Whether runs may start; a drain that is said meanwhile waits until this transaction has ended.
SELECT drained_since IS NULL FROM admission FOR SHARE;

-- name: drain()!
UPDATE admission SET drained_since = coalesce(drained_since, now());

-- name: end_drain()!
UPDATE admission SET drained_since = NULL;

-- name: standing()^
-- Of all organisations (runs in the role orchestrator_system).
SELECT drained_since,
    (SELECT count(*) FROM runs WHERE status IN ('syncing', 'transforming', 'publishing')) AS running,
    (SELECT count(*) FROM runs WHERE status = 'queued') AS queued
FROM admission;

-- name: crowded_organizations(days, kept)
-- Of all organisations (runs in the role orchestrator_system).
SELECT org_id FROM runs WHERE ended_at IS NOT NULL GROUP BY org_id
HAVING count(*) > :kept OR min(ended_at) < now() - make_interval(days => :days);

-- name: forget_runs(days, kept, batch)
-- The oldest of one organisation: neither open ones, nor those of the last day, nor the last of a
-- pipeline. What another replica is about to forget is left to it.
WITH old AS (
    SELECT id FROM runs run
    WHERE ended_at <= greatest(
            now() - make_interval(days => :days),
            (SELECT ended_at FROM runs WHERE ended_at IS NOT NULL
             ORDER BY ended_at DESC OFFSET :kept LIMIT 1))
      AND ended_at < now() - interval '1 day'
      AND (NOT EXISTS (SELECT 1 FROM pipelines WHERE id = run.pipeline_id)
           OR EXISTS (SELECT 1 FROM runs later WHERE later.pipeline_id = run.pipeline_id
                      AND later.created_at > run.created_at))
    ORDER BY ended_at
    LIMIT :batch
    FOR UPDATE SKIP LOCKED
)
DELETE FROM runs USING old WHERE runs.id = old.id RETURNING runs.id;

-- name: receive_anew(message_ids)!
-- As if they had come just now: a repeat is one for as long again.
INSERT INTO inbox (message_id) SELECT unnest(:message_ids::uuid[])
ON CONFLICT (message_id) DO UPDATE SET received_at = now();
