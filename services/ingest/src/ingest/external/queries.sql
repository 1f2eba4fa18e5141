-- name: announce(id, org_id, table_name, row_count)!
INSERT INTO announcements (id, org_id, table_name, row_count)
VALUES (:id, :org_id, :table_name, :row_count)
ON CONFLICT (id) DO NOTHING;

-- name: newest(table_name)^
SELECT id, seq, row_count, heard_at FROM announcements
WHERE table_name = :table_name
ORDER BY seq DESC
LIMIT 1;

-- name: forget_announcements(days, most)!
-- Of all organisations. The newest word on a table that a source reads is kept however old it is.
DELETE FROM announcements WHERE id IN (
    SELECT id FROM (
        SELECT id, org_id, table_name, heard_at,
            row_number() OVER (PARTITION BY org_id, table_name ORDER BY seq DESC) AS place_in_table,
            row_number() OVER (PARTITION BY org_id ORDER BY seq DESC) AS place
        FROM announcements
    ) AS told
    WHERE (heard_at < now() - make_interval(days => :days::int) OR place > :most::int)
        AND NOT (place_in_table = 1 AND EXISTS (
            SELECT FROM sources
            WHERE sources.org_id = told.org_id AND source_type = 'external'
                AND config ->> 'table' = told.table_name
        ))
);

-- name: wait(step_id, org_id, source_id, run_id, table_name, after_seq, command, actor, trace, seconds)^
-- The time runs from the first wait of a step on, however often it is taken up and laid down.
INSERT INTO waiting_syncs AS wait (step_id, org_id, source_id, run_id, table_name, after_seq,
    command, actor, trace, deadline, resumed_at)
VALUES (:step_id, :org_id, :source_id, :run_id, :table_name, :after_seq, :command, :actor, :trace,
    now() + make_interval(secs => :seconds::float8), CASE WHEN :seconds::float8 <= 0 THEN now() END)
ON CONFLICT (step_id) DO UPDATE SET after_seq = excluded.after_seq,
    resumed_at = CASE WHEN wait.deadline <= now() THEN wait.resumed_at END
RETURNING since, deadline, deadline <= now() AS is_over;

-- name: due()
-- Of all organisations, each to one replica.
SELECT wait.step_id, wait.org_id, wait.command, wait.actor, wait.trace, step.lease
FROM waiting_syncs AS wait JOIN sync_runs AS step USING (step_id)
WHERE wait.resumed_at IS NULL
    AND step.outcome IS NULL
    AND (
        wait.deadline <= now()
        OR EXISTS (
            SELECT FROM announcements AS told
            WHERE told.org_id = wait.org_id AND told.table_name = wait.table_name
                AND told.seq > wait.after_seq
        )
        OR NOT EXISTS (SELECT FROM sources WHERE id = wait.source_id)
    )
ORDER BY wait.since
LIMIT 100
FOR UPDATE OF wait SKIP LOCKED;

-- name: resume(step_ids)!
-- The message that takes a step up has the time of a silent holder to arrive.
WITH resumed AS (
    UPDATE sync_runs SET heartbeat_at = now() WHERE step_id = ANY (:step_ids::uuid[])
)
UPDATE waiting_syncs SET resumed_at = now() WHERE step_id = ANY (:step_ids::uuid[]);

-- name: forget_ended()!
-- Of all organisations: waits of steps that have an outcome, and of runs that were called off.
DELETE FROM waiting_syncs AS wait
WHERE EXISTS (SELECT FROM sync_runs AS step
        WHERE step.step_id = wait.step_id AND step.outcome IS NOT NULL)
    OR EXISTS (SELECT FROM cancelled_runs AS run WHERE run.run_id = wait.run_id
        AND run.attempt >= coalesce((wait.command ->> 'attempt')::integer, 1));
