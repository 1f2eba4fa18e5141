-- The catalogue

-- name: tables(table_ids, after_key, page)
-- Tables by display name: all of them (null, null, null), those with the given ids, or a page.
SELECT entry.table_id, entry.kind, entry.display_name, entry.display_key, entry.expected,
       version.version_id, version.relation, version.columns, version.rows, version.bytes,
       version.fingerprint, version.nullable, version.published_at,
       coalesce((SELECT array_agg(reader.name ORDER BY reader.name_key)
                 FROM table_reads JOIN transformations reader USING (transformation_id)
                 WHERE table_reads.table_id = entry.table_id), '{}') AS used_by
FROM warehouse_tables entry LEFT JOIN table_versions version USING (version_id)
WHERE (:table_ids::uuid[] IS NULL OR entry.table_id = ANY (:table_ids))
  AND (:after_key::text IS NULL OR entry.display_key > :after_key)
ORDER BY entry.display_key
LIMIT :page;

-- name: table_id_by_key(display_key)$
SELECT table_id FROM warehouse_tables WHERE display_key = :display_key;

-- name: display_keys()
SELECT display_key FROM warehouse_tables;

-- name: put_table(table_id, org_id, kind, display_name, display_key, expected)!
INSERT INTO warehouse_tables (table_id, org_id, kind, display_name, display_key, expected)
VALUES (:table_id, :org_id, :kind, :display_name, :display_key,
    coalesce(:expected::jsonb, '[]'))
ON CONFLICT (table_id) DO UPDATE SET
    display_name = excluded.display_name,
    display_key = excluded.display_key,
    expected = coalesce(:expected, warehouse_tables.expected);

-- name: set_expected(table_id, expected)!
UPDATE warehouse_tables SET expected = :expected
WHERE table_id = :table_id AND expected IS DISTINCT FROM :expected;

-- name: lock_tables(table_ids)
-- In one order everywhere, so that two publishes wait for each other and never deadlock.
SELECT table_id FROM warehouse_tables WHERE table_id = ANY (:table_ids::uuid[])
ORDER BY table_id FOR UPDATE;

-- name: delete_table(table_id)!
DELETE FROM warehouse_tables WHERE table_id = :table_id;

-- name: versions_of(table_id)
SELECT relation FROM table_versions WHERE table_id = :table_id;


-- Publishing

-- name: decide(run_id, attempt, org_id, outcome, event)!
-- Affects no row when this attempt of the run was decided before.
INSERT INTO publications (run_id, attempt, org_id, outcome, event)
VALUES (:run_id, :attempt, :org_id, :outcome, :event) ON CONFLICT (run_id, attempt) DO NOTHING;

-- name: decision(run_id, attempt)^
SELECT outcome, event FROM publications WHERE run_id = :run_id AND attempt = :attempt;

-- name: missing_versions(schema, relations)
SELECT relation FROM unnest(:relations::text[]) AS relation
WHERE NOT EXISTS (SELECT FROM pg_tables WHERE schemaname = :schema AND tablename = relation);

-- name: supersede(table_id, version_id)!
UPDATE table_versions SET superseded_at = now()
WHERE table_id = :table_id AND superseded_at IS NULL AND version_id <> :version_id;

-- name: put_version(version_id, org_id, table_id, relation, columns, rows, bytes, fingerprint, nullable)!
INSERT INTO table_versions
    (version_id, org_id, table_id, relation, columns, rows, bytes, fingerprint, nullable)
VALUES (:version_id, :org_id, :table_id, :relation, :columns, :rows, :bytes, :fingerprint,
    :nullable)
ON CONFLICT (version_id) DO UPDATE SET published_at = now(), superseded_at = NULL;

-- name: point_at(table_id, version_id)!
UPDATE warehouse_tables SET version_id = :version_id WHERE table_id = :table_id;

-- name: table_versions(table_id, schema)
-- Those that are still there.
SELECT * FROM table_versions
WHERE table_id = :table_id
  AND EXISTS (SELECT FROM pg_tables WHERE schemaname = :schema AND tablename = relation)
ORDER BY published_at DESC;

-- name: lock_version(table_id, version_id)^
-- Whoever sweeps waits for this lock, or has taken the row away by the time that it is given.
SELECT * FROM table_versions WHERE table_id = :table_id AND version_id = :version_id FOR UPDATE;

-- name: show_again(version_id)!
UPDATE table_versions SET published_at = now(), superseded_at = NULL WHERE version_id = :version_id;


-- Sweeping

-- name: organizations_with_tables()
-- Of all organisations (runs in the role transform_system).
SELECT org_id FROM warehouse_tables UNION SELECT org_id FROM publications;

-- name: outdated_versions(former, budget, grace, most)
-- Superseded versions that are not kept: each but the last `former` of a table and, the oldest
-- first, what does not fit into the budget of bytes (0: nothing does). What alone is over it takes
-- no room from the others. `is_ripe`: superseded for as long as it is left alone.
WITH superseded AS (
    SELECT version_id, relation, bytes, superseded_at,
           row_number() OVER (
               PARTITION BY table_id ORDER BY superseded_at DESC, version_id DESC
           ) AS age
    FROM table_versions WHERE superseded_at IS NOT NULL
), fitting AS (
    SELECT version_id, sum(bytes) OVER (ORDER BY superseded_at DESC, version_id DESC) AS held
    FROM superseded WHERE age <= :former AND bytes <= :budget
)
SELECT version_id, relation, bytes,
       superseded_at <= now() - make_interval(secs => :grace) AS is_ripe
FROM superseded LEFT JOIN fitting USING (version_id)
WHERE :budget = 0 OR coalesce(held > :budget, true)
ORDER BY superseded_at, version_id
LIMIT :most;

-- name: forget_lost_versions(schema)
-- Former versions whose tables are gone, whoever dropped them.
DELETE FROM table_versions
WHERE superseded_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_tables WHERE schemaname = :schema AND tablename = relation)
RETURNING version_id;

-- name: unpublished_versions(schema)
-- Tables of versions that are not in the catalogue: about to be published, or left behind.
SELECT class.relname::text AS relation, pg_total_relation_size(class.oid) AS bytes
FROM pg_class class JOIN pg_namespace own ON own.oid = class.relnamespace
WHERE own.nspname = :schema AND class.relkind = 'r' AND starts_with(class.relname, 'v_')
  AND NOT EXISTS (SELECT FROM table_versions known WHERE known.relation = class.relname)
ORDER BY class.relname;

-- name: forget_versions(relations, grace, schema)
-- Takes outdated ones out of the catalogue; gives those that are not in it, then or before, and
-- that nobody else has dropped.
WITH forgotten AS (
    DELETE FROM table_versions
    WHERE relation = ANY (:relations::text[])
      AND superseded_at <= now() - make_interval(secs => :grace)
    RETURNING relation
)
SELECT relation FROM forgotten
UNION ALL
SELECT relation FROM unnest(:relations) AS asked (relation)
WHERE NOT EXISTS (SELECT FROM table_versions known WHERE known.relation = asked.relation)
  AND EXISTS (SELECT FROM pg_tables WHERE schemaname = :schema AND tablename = asked.relation);

-- name: stored_tables()
-- The largest first.
SELECT entry.table_id, entry.display_name AS name, entry.kind,
       coalesce(sum(version.bytes) FILTER (WHERE superseded_at IS NULL), 0)::bigint
           AS published_bytes,
       coalesce(sum(version.bytes) FILTER (WHERE superseded_at IS NOT NULL), 0)::bigint
           AS former_bytes,
       count(superseded_at) AS former_versions
FROM warehouse_tables entry JOIN table_versions version USING (table_id)
GROUP BY entry.table_id
ORDER BY sum(version.bytes) DESC, entry.display_key;


-- Transformations

-- name: lock_recipes(org_id)!
-- Saving a recipe and dropping a table wait for each other: two saves could close a cycle together.
SELECT pg_advisory_xact_lock(hashtextextended('transform.recipes.' || :org_id::uuid, 0));

-- name: transformations(transformation_ids, after_key, after_id, page)
-- Newest versions by name: all of them, those with the given ids, or a page.
SELECT own.transformation_id, own.name, own.name_key, own.description, own.version, own.digest,
       own.last_run_at, own.created_at, own.updated_at, version.recipe,
       coalesce(own.deleting_since > now() - interval '1 minute', false) AS is_deleting,
       output.display_name AS output_table_name, output.expected,
       (SELECT array_agg(table_id ORDER BY table_id) FROM table_reads
        WHERE transformation_id = own.transformation_id) AS reads
FROM transformations own
JOIN transformation_versions version USING (transformation_id, version)
JOIN warehouse_tables output ON output.table_id = own.transformation_id
WHERE (:transformation_ids::uuid[] IS NULL OR own.transformation_id = ANY (:transformation_ids))
  AND (:after_key::text IS NULL
       OR (own.name_key, own.transformation_id) > (:after_key, :after_id::uuid))
ORDER BY own.name_key, own.transformation_id
LIMIT :page;

-- name: insert_transformation(transformation_id, org_id, name, name_key, description, digest)!
INSERT INTO transformations
    (transformation_id, org_id, name, name_key, description, version, digest)
VALUES (:transformation_id, :org_id, :name, :name_key, :description, 1, :digest);

-- name: update_transformation(transformation_id, name, name_key, description)!
UPDATE transformations SET name = :name, name_key = :name_key, description = :description,
    version = version + 1, updated_at = now()
WHERE transformation_id = :transformation_id;

-- name: mark_deleting(transformation_id, is_deleting)!
UPDATE transformations SET deleting_since = CASE WHEN :is_deleting THEN now() END
WHERE transformation_id = :transformation_id;

-- name: insert_version(transformation_id, version, org_id, recipe, table_names, saved_by, restored_from)!
INSERT INTO transformation_versions
    (transformation_id, version, org_id, recipe, table_names, saved_by, restored_from)
VALUES (:transformation_id, :version, :org_id, :recipe, :table_names, :saved_by, :restored_from);

-- name: recipe_versions(transformation_id, version, before_version, page)
-- Saves of a transformation, the newest first: all of them, the one asked for, or a page.
SELECT version, recipe, table_names, saved_by, saved_at, restored_from
FROM transformation_versions
WHERE transformation_id = :transformation_id
  AND (:version::integer IS NULL OR version = :version)
  AND (:before_version::integer IS NULL OR version < :before_version)
ORDER BY version DESC
LIMIT :page;

-- name: clear_reads(transformation_id)!
DELETE FROM table_reads WHERE transformation_id = :transformation_id;

-- name: put_reads(transformation_id, org_id, table_ids)!
INSERT INTO table_reads (transformation_id, table_id, org_id)
SELECT :transformation_id, table_id, :org_id FROM unnest(:table_ids::uuid[]) AS table_id;

-- name: all_reads()
SELECT transformation_id, table_id FROM table_reads;


-- Steps of runs

-- name: claim_step(step_id, org_id, run_id, transformation_id, recipe_version, attempt, holder, repeated)^
-- The lease under which the step is worked on, and its recipe. No lease: the attempt of the run was
-- called off, the outcome is known, or it is asked for again while another message holds the step:
-- that one comes back until it is answered.
WITH run AS (
    SELECT EXISTS (
        SELECT FROM cancelled_runs WHERE run_id = :run_id AND attempt >= :attempt
    ) AS is_cancelled
), claimed AS (
    INSERT INTO transformation_runs AS step (step_id, org_id, run_id, transformation_id, holder)
    SELECT :step_id, :org_id, :run_id, :transformation_id, :holder FROM run WHERE NOT is_cancelled
    ON CONFLICT (step_id) DO UPDATE
    SET lease = step.lease + 1, started_at = now(), holder = excluded.holder
    WHERE step.outcome IS NULL AND (NOT :repeated OR step.holder = excluded.holder)
    RETURNING lease
)
SELECT run.is_cancelled, claimed.lease, saved.recipe
FROM run LEFT JOIN claimed ON true
LEFT JOIN transformation_versions saved
    ON saved.transformation_id = :transformation_id AND saved.version = :recipe_version;

-- name: step(step_id)^
SELECT lease, outcome, event FROM transformation_runs WHERE step_id = :step_id;

-- name: finish_step(step_id, lease, outcome, event)$
-- 0 when the step was claimed anew or finished meanwhile.
WITH finished AS (
    UPDATE transformation_runs SET outcome = :outcome, event = :event, finished_at = now()
    WHERE step_id = :step_id AND lease = :lease AND outcome IS NULL
    RETURNING transformation_id, outcome
), marked AS (
    UPDATE transformations own SET last_run_at = now() FROM finished
    WHERE own.transformation_id = finished.transformation_id AND finished.outcome = 'built'
)
SELECT count(*) FROM finished;

-- name: cancel_run(run_id, org_id, attempt)!
INSERT INTO cancelled_runs AS run (run_id, org_id, attempt) VALUES (:run_id, :org_id, :attempt)
ON CONFLICT (run_id) DO UPDATE SET attempt = greatest(run.attempt, excluded.attempt);

-- name: is_cancelled(run_id, attempt)$
SELECT EXISTS (SELECT FROM cancelled_runs WHERE run_id = :run_id AND attempt >= :attempt);
