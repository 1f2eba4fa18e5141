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

-- name: outdated_versions(table_ids, grace)
-- Neither published nor the one before, and left alone for long enough.
SELECT version_id, relation FROM (
    SELECT version_id, relation, superseded_at,
           row_number() OVER (PARTITION BY table_id ORDER BY published_at DESC) AS age
    FROM table_versions WHERE table_id = ANY (:table_ids::uuid[])
) aged
WHERE age > 2 AND superseded_at <= now() - make_interval(secs => :grace);

-- name: table_versions(table_id)
SELECT * FROM table_versions WHERE table_id = :table_id ORDER BY published_at DESC;

-- name: show_again(version_id)!
UPDATE table_versions SET published_at = now(), superseded_at = NULL WHERE version_id = :version_id;

-- name: known_relations()
SELECT relation FROM table_versions;

-- name: organizations_with_tables()
-- Of all organisations (runs in the role transform_system).
SELECT org_id FROM warehouse_tables UNION SELECT org_id FROM publications;

-- name: delete_version(version_id)!
DELETE FROM table_versions WHERE version_id = :version_id;


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

-- name: recipe_version(transformation_id, version)$
SELECT recipe FROM transformation_versions
WHERE transformation_id = :transformation_id AND version = :version;

-- name: clear_reads(transformation_id)!
DELETE FROM table_reads WHERE transformation_id = :transformation_id;

-- name: put_reads(transformation_id, org_id, table_ids)!
INSERT INTO table_reads (transformation_id, table_id, org_id)
SELECT :transformation_id, table_id, :org_id FROM unnest(:table_ids::uuid[]) AS table_id;

-- name: all_reads()
SELECT transformation_id, table_id FROM table_reads;


-- Steps of runs

-- name: claim_step(step_id, org_id, run_id, transformation_id, holder, repeated)$
-- The lease under which the step is worked on; null when its outcome is known, or when it is asked
-- for again while another message holds it: that one comes back until it is answered.
INSERT INTO transformation_runs AS step (step_id, org_id, run_id, transformation_id, holder)
VALUES (:step_id, :org_id, :run_id, :transformation_id, :holder)
ON CONFLICT (step_id) DO UPDATE
SET lease = step.lease + 1, started_at = now(), holder = excluded.holder
WHERE step.outcome IS NULL AND (NOT :repeated OR step.holder = excluded.holder)
RETURNING lease;

-- name: step(step_id)^
SELECT lease, outcome, event FROM transformation_runs WHERE step_id = :step_id;

-- name: finish_step(step_id, lease, outcome, event)!
-- Affects no row when the step was claimed anew or finished meanwhile.
UPDATE transformation_runs SET outcome = :outcome, event = :event, finished_at = now()
WHERE step_id = :step_id AND lease = :lease AND outcome IS NULL;

-- name: mark_run(transformation_id)!
UPDATE transformations SET last_run_at = now() WHERE transformation_id = :transformation_id;

-- name: cancel_run(run_id, org_id, attempt)!
INSERT INTO cancelled_runs AS run (run_id, org_id, attempt) VALUES (:run_id, :org_id, :attempt)
ON CONFLICT (run_id) DO UPDATE SET attempt = greatest(run.attempt, excluded.attempt);

-- name: is_cancelled(run_id, attempt)$
SELECT EXISTS (SELECT FROM cancelled_runs WHERE run_id = :run_id AND attempt >= :attempt);

-- name: forget_runs(run_ids)!
WITH published AS (DELETE FROM publications WHERE run_id = ANY (:run_ids::uuid[])),
    cancelled AS (DELETE FROM cancelled_runs WHERE run_id = ANY (:run_ids::uuid[]))
DELETE FROM transformation_runs WHERE run_id = ANY (:run_ids::uuid[]);
