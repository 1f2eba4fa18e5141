-- name: read_run(message_id, run_id)^
-- Whether the message has moved a run before, and the run that it is about, which is locked then;
-- `now` by the database's clock. With what the organisation's other runs hold and wait for: a guess,
-- `update_run` knows for certain.
WITH run AS MATERIALIZED (
    SELECT id, org_id, state, revision FROM runs WHERE id = :run_id FOR UPDATE
)
SELECT EXISTS (SELECT FROM inbox WHERE message_id = :message_id) AS is_repeated,
    run.state, run.revision, now() AS now, other.*
FROM (SELECT) one LEFT JOIN run ON true LEFT JOIN LATERAL (
    SELECT coalesce(sum(syncs), 0)::integer AS syncs, coalesce(sum(builds), 0)::integer AS builds,
        count(*) FILTER (WHERE waits_since IS NOT NULL AND status = 'syncing') AS syncs_wait,
        count(*) FILTER (WHERE waits_since IS NOT NULL AND status = 'transforming') AS builds_wait
    FROM runs
    WHERE org_id = run.org_id AND id <> run.id
      AND status IN ('syncing', 'transforming', 'publishing')
) other ON true;

-- name: forget_received()!
-- JetStream never repeats a message that is older than its stream.
DELETE FROM inbox WHERE received_at < now() - interval '15 days';

-- name: insert_run(message_id, run_id, org_id, pipeline_id, status, writes, actor, created_at, state, time, versions, types, data, ids, streams, subjects, headers, bodies)^
-- No row when there is such a run, or the message was dealt with before; else it stands in line for
-- the tables that it writes. When it is alone in its organisation they are its own at once.
WITH run AS (
    INSERT INTO runs (id, org_id, pipeline_id, status, writes, actor, created_at, state)
    SELECT :run_id, :org_id, :pipeline_id, :status, :writes, :actor, :created_at, :state
    WHERE NOT EXISTS (SELECT FROM inbox WHERE message_id = :message_id)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, org_id, writes, revision
), received AS (
    INSERT INTO inbox (message_id) SELECT :message_id FROM run
), aims AS (
    INSERT INTO run_targets (run_id, target_id, org_id)
    SELECT id, target_id, org_id FROM run, unnest(writes) AS target_id
), alone AS MATERIALIZED (
    SELECT is_alone(org_id, id) FROM run
), in_line AS (
    INSERT INTO run_claims (table_id, org_id, run_id, is_held)
    SELECT table_id, org_id, id, is_alone
    FROM run, alone, unnest(CASE WHEN writes = '{}' THEN ARRAY[id] ELSE writes END) AS table_id
), told AS (
    INSERT INTO run_events (org_id, run_id, version, type, time, data)
    SELECT run.org_id, run.id, event.version, event.type, :time, event.data
    FROM run, unnest(:versions::integer[], :types::text[], :data::jsonb[])
        AS event (version, type, data)
), put AS (
    -- As the outbox puts them, in one round trip with what they tell of.
    INSERT INTO outbox (id, stream, subject, headers, body)
    SELECT message.id, message.stream, message.subject, message.headers, message.body
    FROM run, unnest(:ids::uuid[], :streams::text[], :subjects::text[], :headers::jsonb[], :bodies::bytea[])
        WITH ORDINALITY AS message (id, stream, subject, headers, body, place)
    ORDER BY message.place
    ON CONFLICT (id) DO NOTHING
)
SELECT revision, now() AS now, is_alone FROM run, alone;

-- name: stand_in_line(run_id)!
-- Once more, for the tables that it writes.
INSERT INTO run_claims (table_id, org_id, run_id)
SELECT table_id, org_id, id
FROM runs, unnest(CASE WHEN writes = '{}' THEN ARRAY[id] ELSE writes END) AS table_id
WHERE id = :run_id;

-- name: update_run(message_id, run_id, revision, status, state, look_at, repeats, syncs, builds, is_waiting, has_begun, is_planned, is_alone, waits_outside, takes, max_syncs, max_builds, time, versions, types, data, ids, streams, subjects, headers, bodies)^
-- No row when it was moved meanwhile, the message was dealt with before, it takes more slots than its
-- organisation has left, is to start while nothing may, or is not `is_alone` in its organisation as
-- was thought. Who has just begun a step waits from now on, behind the other runs that wait; who has
-- ended releases its claims. With what the others hold and wait for, as `read_run` has it, and whether
-- other pipelines run after this one's.
WITH known AS MATERIALIZED (
    -- Locked before anything else is waited for, as `read_run` locks it.
    SELECT id, org_id FROM runs WHERE id = :run_id AND revision = :revision FOR UPDATE
), moved AS (
    UPDATE runs SET status = :status, state = :state, revision = revision + 1,
        look_at = :look_at, repeats = :repeats, syncs = :syncs, builds = :builds,
        waits_since = CASE WHEN :is_waiting::boolean THEN
            CASE WHEN :has_begun::boolean THEN now() ELSE coalesce(waits_since, now()) END
        END,
        waits_outside = :waits_outside,
        ended_at = CASE WHEN :status IN ('succeeded', 'failed', 'cancelled') THEN now() END
    FROM known WHERE runs.id = known.id AND (
        NOT :takes::boolean OR has_room(
            known.org_id, known.id, :syncs::integer, :builds::integer, :max_syncs, :max_builds)
    ) AND (
        -- A drain that is said meanwhile waits until this transaction has ended.
        NOT :is_planned::boolean OR (SELECT drained_since IS NULL FROM admission FOR SHARE)
    ) AND NOT (:is_alone::boolean AND EXISTS (
        SELECT FROM runs other
        WHERE other.org_id = known.org_id AND other.id <> known.id
          AND other.status IN ('syncing', 'transforming', 'publishing')
    )) AND NOT EXISTS (SELECT FROM inbox WHERE message_id = :message_id)
    RETURNING runs.org_id, runs.id, runs.revision, runs.ended_at, runs.pipeline_id
), received AS (
    INSERT INTO inbox (message_id) SELECT :message_id FROM moved
), released AS (
    DELETE FROM run_claims USING moved WHERE run_id = moved.id AND moved.ended_at IS NOT NULL
), told AS (
    INSERT INTO run_events (org_id, run_id, version, type, time, data)
    SELECT moved.org_id, moved.id, event.version, event.type, :time, event.data
    FROM moved, unnest(:versions::integer[], :types::text[], :data::jsonb[])
        AS event (version, type, data)
), put AS (
    -- As the outbox puts them, in one round trip with what they tell of.
    INSERT INTO outbox (id, stream, subject, headers, body)
    SELECT message.id, message.stream, message.subject, message.headers, message.body
    FROM moved, unnest(:ids::uuid[], :streams::text[], :subjects::text[], :headers::jsonb[], :bodies::bytea[])
        WITH ORDINALITY AS message (id, stream, subject, headers, body, place)
    ORDER BY message.place
    ON CONFLICT (id) DO NOTHING
)
SELECT moved.revision, now() AS now, other.*, moved.ended_at IS NOT NULL AND EXISTS (
    SELECT FROM triggers WHERE after_pipeline_id = moved.pipeline_id AND is_active
) AS is_followed
FROM moved CROSS JOIN LATERAL (
    SELECT coalesce(sum(syncs), 0)::integer AS syncs, coalesce(sum(builds), 0)::integer AS builds,
        count(*) FILTER (WHERE waits_since IS NOT NULL AND status = 'syncing') AS syncs_wait,
        count(*) FILTER (WHERE waits_since IS NOT NULL AND status = 'transforming') AS builds_wait
    FROM runs
    WHERE org_id = moved.org_id AND id <> moved.id
      AND status IN ('syncing', 'transforming', 'publishing')
) other;

-- name: runs_with_room(max_syncs, max_builds, batch)
-- Of each organisation with a free slot the run whose turn it is: of those that wait the one that
-- holds fewest, then the one that has waited longest (runs in the role orchestrator_system).
WITH held AS (
    SELECT org_id, sum(syncs) AS syncs, sum(builds) AS builds FROM runs
    WHERE status IN ('syncing', 'transforming', 'publishing')
      AND org_id IN (SELECT org_id FROM runs WHERE waits_since IS NOT NULL)
    GROUP BY org_id
)
SELECT id, org_id, actor, state ->> 'trace' AS trace FROM runs WHERE id IN (
    SELECT turn.id FROM (
        SELECT DISTINCT ON (run.org_id, run.status) run.id
        FROM runs run JOIN held USING (org_id)
        WHERE run.waits_since IS NOT NULL AND CASE run.status
            WHEN 'syncing' THEN held.syncs < :max_syncs
            ELSE held.builds < :max_builds
        END
        ORDER BY run.org_id, run.status, run.syncs + run.builds, run.waits_since
        LIMIT :batch
    ) turn
);

-- name: quiet_runs(now, batch)
-- Of all organisations (runs in the role orchestrator_system).
SELECT id, org_id FROM runs WHERE look_at <= :now ORDER BY look_at LIMIT :batch;

-- name: lock_quiet_run(run_id, now)^
-- Another replica that looks after it holds it: then there is nothing to do here.
SELECT state, revision, repeats FROM runs WHERE id = :run_id AND look_at <= :now
FOR UPDATE SKIP LOCKED;

-- name: look_at_all()!
-- At every run that somebody works on, of all organisations (runs in the role orchestrator_system).
UPDATE runs SET look_at = now(), repeats = 0 WHERE look_at IS NOT NULL;

-- name: look_later(run_id, look_at)!
UPDATE runs SET look_at = :look_at WHERE id = :run_id;

-- name: followers_of(pipeline_id, has_published)
-- What runs after a pipeline's run that has succeeded, held until the transaction ends.
SELECT follower.id AS pipeline_id, follower.source_ids, follower.transformation_ids,
    trigger.overlap
FROM triggers trigger JOIN pipelines follower ON follower.id = trigger.pipeline_id
WHERE trigger.after_pipeline_id = :pipeline_id AND trigger.is_active
    AND (:has_published::boolean OR NOT trigger.only_if_changed)
ORDER BY follower.id
FOR NO KEY UPDATE OF follower;

-- name: lock_claims()!
-- Until the transaction ends: what is claimed next sees all that was claimed before.
SELECT take_lock('claims');

-- name: claim_runs(cap, batch)
-- Queued runs that are the first in line for all their tables, of organisations below the cap, who
-- has fewest under way first; their tables are their own from now on (runs in the role
-- orchestrator_system). A run that was claimed and has not begun counts as under way, and keeps its
-- turn. Fails (unique) when another run took one of them meanwhile; a run that another replica moves
-- at this moment is left to it. Looks at organisations and tables, not at runs: the recursions take
-- one probe of an index for each.
WITH RECURSIVE queueing AS (
    (SELECT org_id FROM runs WHERE status = 'queued' ORDER BY org_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT org_id FROM runs WHERE status = 'queued' AND org_id > last.org_id
        ORDER BY org_id LIMIT 1
    ) FROM queueing last WHERE last.org_id IS NOT NULL
), active AS (
    SELECT queueing.org_id, count(run.id) AS runs
    FROM queueing LEFT JOIN runs run ON run.org_id = queueing.org_id
        AND run.status IN ('syncing', 'transforming', 'publishing') AND NOT run.waits_outside
    WHERE queueing.org_id IS NOT NULL AND EXISTS (SELECT FROM admission WHERE drained_since IS NULL)
    GROUP BY queueing.org_id HAVING count(run.id) < :cap
), turns AS (
    SELECT waiting.*
    FROM active CROSS JOIN LATERAL (
        WITH RECURSIVE first AS (
            (
                SELECT table_id, run_id, since, is_held FROM run_claims WHERE org_id = active.org_id
                ORDER BY table_id, is_held DESC, since, run_id LIMIT 1
            )
            UNION ALL
            SELECT later.* FROM first CROSS JOIN LATERAL (
                SELECT table_id, run_id, since, is_held FROM run_claims
                WHERE org_id = active.org_id AND table_id > first.table_id
                ORDER BY table_id, is_held DESC, since, run_id LIMIT 1
            ) later
        )
        SELECT first.run_id, first.since,
            active.runs + row_number() OVER (
                ORDER BY bool_or(first.is_held) DESC, first.since, first.run_id
            ) AS turn
        FROM first
        GROUP BY first.run_id, first.since
        -- No join: the planner cannot know how few there are and would read all runs.
        HAVING (SELECT status FROM runs WHERE id = first.run_id) = 'queued'
           AND count(*) = (SELECT count(*) FROM run_claims own WHERE own.run_id = first.run_id)
    ) waiting
    WHERE waiting.turn <= :cap
    ORDER BY waiting.turn, waiting.since
    LIMIT :batch
), run AS MATERIALIZED (
    SELECT run.*, turns.turn, turns.since FROM turns CROSS JOIN LATERAL (
        SELECT id, org_id, state FROM runs WHERE id = turns.run_id AND status = 'queued'
        FOR UPDATE SKIP LOCKED
    ) run
), claimed AS (
    UPDATE run_claims SET is_held = true
    WHERE run_id = ANY (SELECT id FROM run) AND NOT is_held
)
SELECT id, org_id, state FROM run ORDER BY turn, since;

-- name: get_run(run_id)^
SELECT state FROM runs WHERE id = :run_id;

-- name: pinned_versions(relations)$
-- One that was begun before and waits to go on counts: what was pinned stays pinned.
SELECT coalesce(array_agg(DISTINCT pinned ->> 'relation'), '{}')
FROM runs CROSS JOIN jsonb_array_elements(state -> 'published') AS pinned
WHERE status IN ('queued', 'syncing', 'transforming', 'publishing')
  AND pinned ->> 'relation' = ANY (:relations::text[]);

-- name: oldest_open_run()$
SELECT least(
    (SELECT min(created_at) FROM runs WHERE status = 'queued'),
    (SELECT min(created_at) FROM runs WHERE status IN ('syncing', 'transforming', 'publishing'))
);

-- name: count_queued_runs(most)$
-- Of one organisation; counts no further than to `most`.
SELECT count(*) FROM (SELECT FROM runs WHERE status = 'queued' LIMIT :most) AS queued;

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

-- name: lock_pipelines(org_id)!
-- Held until the transaction ends: pipelines of an organisation are counted one after the other.
SELECT take_lock('pipelines.' || :org_id::uuid);

-- name: count_pipelines()$
SELECT count(*) FROM pipelines;

-- name: insert_pipeline(pipeline_id, org_id, name, name_key, source_ids, transformation_ids, digest)^
INSERT INTO pipelines (id, org_id, name, name_key, source_ids, transformation_ids, digest)
VALUES (:pipeline_id, :org_id, :name, :name_key, :source_ids, :transformation_ids, :digest)
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: get_pipeline(pipeline_id)^
SELECT pipeline.*, (SELECT max(created_at) FROM runs WHERE pipeline_id = pipeline.id) AS last_run_at,
    schedule.rule, schedule.next_run_at,
    ARRAY(SELECT to_jsonb(trigger) FROM triggers trigger
        WHERE trigger.pipeline_id = pipeline.id ORDER BY position) AS triggers
FROM pipelines pipeline LEFT JOIN schedules schedule ON schedule.pipeline_id = pipeline.id
WHERE pipeline.id = :pipeline_id;

-- name: list_pipelines(after_key, page)
SELECT pipeline.*, (SELECT max(created_at) FROM runs WHERE pipeline_id = pipeline.id) AS last_run_at,
    schedule.rule, schedule.next_run_at,
    ARRAY(SELECT to_jsonb(trigger) FROM triggers trigger
        WHERE trigger.pipeline_id = pipeline.id ORDER BY position) AS triggers
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
SELECT coalesce(scheduled_for, at) AS scheduled_for, run_id, reason, at, cause FROM firings
WHERE pipeline_id = :pipeline_id ORDER BY at DESC, scheduled_for DESC LIMIT :page;

-- name: lock_triggers(org_id)!
-- Two pipelines that are saved at once could close a circle together.
SELECT take_lock('triggers.' || :org_id::uuid);

-- name: who_runs_after_whom()
SELECT pipeline_id, after_pipeline_id FROM triggers WHERE after_pipeline_id IS NOT NULL;

-- name: pipeline_names(pipeline_ids)
-- They stay until the transaction ends: who deletes one deletes what names it.
SELECT id, name FROM pipelines WHERE id = ANY (:pipeline_ids::uuid[])
ORDER BY id FOR KEY SHARE;

-- name: drop_triggers(pipeline_id)!
DELETE FROM triggers WHERE pipeline_id = :pipeline_id;

-- name: insert_trigger(pipeline_id, position, org_id, after_pipeline_id, source_id, only_if_changed, is_active, overlap)*!
INSERT INTO triggers (pipeline_id, position, org_id, after_pipeline_id, source_id,
    only_if_changed, is_active, overlap)
VALUES (:pipeline_id, :position, :org_id, :after_pipeline_id, :source_id,
    :only_if_changed, :is_active, :overlap);

-- name: set_off_by_upload(source_id)
-- Holds the pipelines, each once.
SELECT own.id AS pipeline_id, own.source_ids, own.transformation_ids, trigger.overlap
FROM triggers trigger JOIN pipelines own ON own.id = trigger.pipeline_id
WHERE trigger.after_pipeline_id IS NULL AND trigger.is_active
    AND :source_id::uuid = ANY (own.source_ids)
    AND coalesce(trigger.source_id, :source_id) = :source_id
ORDER BY own.id, trigger.position
FOR NO KEY UPDATE OF own;

-- name: set_off_by_name(pipeline_id)
-- Holds the pipeline.
SELECT id AS pipeline_id, source_ids, transformation_ids, 'queue' AS overlap
FROM pipelines WHERE id = :pipeline_id FOR NO KEY UPDATE;

-- name: now()$
SELECT now();

-- name: open_work_of(pipeline_id, writes)^
-- A run that waits will see what has happened by now, if it is to do as much as a new one, was not
-- begun before (then it is bound to what it has pinned) and is not being planned at this moment.
SELECT count(*) AS runs, count(*) FILTER (
    WHERE run.status = 'queued' AND run.writes @> :writes::uuid[]
        AND run.state ->> 'started_at' IS NULL
        AND NOT EXISTS (SELECT FROM run_claims WHERE run_id = run.id AND is_held)
) AS waiting
FROM runs run
WHERE run.pipeline_id = :pipeline_id
    AND run.status IN ('queued', 'syncing', 'transforming', 'publishing');

-- name: insert_caused_firing(pipeline_id, org_id, caused_by, cause, run_id, reason, at)!
INSERT INTO firings (pipeline_id, org_id, caused_by, cause, run_id, reason, at)
VALUES (:pipeline_id, :org_id, :caused_by, :cause, :run_id, :reason, :at)
ON CONFLICT (pipeline_id, caused_by) DO NOTHING;

-- name: forget_firings()!
-- Of all organisations (runs in the role orchestrator_system).
DELETE FROM firings WHERE at < now() - interval '90 days';

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
