-- The catalogue

-- name: tables(table_ids, after_key, page)
-- Tables by display name: those with the given ids, or a page (null, then the last key, and its size).
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

-- name: tables_around(display_keys, table_ids)
-- All tables by display name; only those asked for with their columns and versions, which may be
-- hundreds of megabytes together.
SELECT entry.table_id, entry.kind, entry.display_name,
       CASE WHEN is_whole THEN entry.expected ELSE '[]' END AS expected,
       version.version_id, version.relation, version.columns, version.rows, version.bytes,
       version.fingerprint, version.nullable, version.published_at, '{}'::text[] AS used_by
FROM (SELECT *, display_key = ANY (:display_keys::text[]) OR table_id = ANY (:table_ids::uuid[])
          AS is_whole
      FROM warehouse_tables) entry
LEFT JOIN table_versions version ON is_whole AND version.version_id = entry.version_id
ORDER BY entry.display_key;

-- name: table_id_by_key(display_key)$
SELECT table_id FROM warehouse_tables WHERE display_key = :display_key;

-- name: display_keys()
SELECT display_key FROM warehouse_tables;

-- name: tables_beside(table_id)$
-- How many tables the organisation has; null where this one is among them.
SELECT count(*) FROM warehouse_tables HAVING bool_or(table_id = :table_id) IS NOT TRUE;

-- name: lock_tables_count(org_id)!
-- Held until the transaction ends: tables of an organisation are counted one after the other.
SELECT take_lock('tables.' || :org_id::uuid);

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
SELECT take_lock('recipes.' || :org_id::uuid);

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

-- name: count_transformations()$
SELECT count(*) FROM transformations;

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

-- name: forget_recipe_versions(transformation_id, most)!
DELETE FROM transformation_versions old USING transformations own
WHERE own.transformation_id = :transformation_id AND old.transformation_id = :transformation_id
  AND old.version <= own.version - :most::integer;

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

-- name: claim_step(step_id, org_id, run_id, transformation_id, recipe_version, attempt, holder, repeated, silence)^
-- The lease under which the step is worked on, its recipe, and the names of all tables. No lease: the
-- attempt of the run was called off, the outcome is known, or it is asked for again while another
-- message holds the step and its holder sent a heartbeat within `silence` seconds.
WITH run AS (
    SELECT EXISTS (
        SELECT FROM cancelled_runs WHERE run_id = :run_id AND attempt >= :attempt
    ) AS is_cancelled
), claimed AS (
    INSERT INTO transformation_runs AS step (step_id, org_id, run_id, transformation_id, holder)
    SELECT :step_id, :org_id, :run_id, :transformation_id, :holder FROM run WHERE NOT is_cancelled
    ON CONFLICT (step_id) DO UPDATE
    SET lease = step.lease + 1, started_at = now(), heartbeat_at = now(), holder = excluded.holder
    WHERE step.outcome IS NULL AND (NOT :repeated OR step.holder = excluded.holder
        OR step.heartbeat_at < now() - make_interval(secs => :silence::float8))
    RETURNING lease
)
SELECT run.is_cancelled, claimed.lease, saved.recipe, CASE WHEN claimed.lease IS NOT NULL THEN (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'table_id', table_id, 'kind', kind, 'name', display_name) ORDER BY display_key), '[]')
        FROM warehouse_tables
    ) END AS tables
FROM run LEFT JOIN claimed ON true
LEFT JOIN transformation_versions saved
    ON saved.transformation_id = :transformation_id AND saved.version = :recipe_version;

-- name: heartbeat(step_id, run_id, attempt, holder, silence)$
-- Notes that the holder works on the step. Whether it has to stop: the attempt was called off, or
-- another message has taken the step over and its holder is alive.
WITH held AS (
    UPDATE transformation_runs SET heartbeat_at = now()
    WHERE step_id = :step_id AND holder = :holder AND outcome IS NULL
)
SELECT EXISTS (
    SELECT FROM cancelled_runs WHERE run_id = :run_id AND attempt >= :attempt
) OR EXISTS (
    SELECT FROM transformation_runs
    WHERE step_id = :step_id AND holder <> :holder AND outcome IS NULL
        AND heartbeat_at >= now() - make_interval(secs => :silence::float8)
);

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

-- name: published_lately()
-- Of all organisations, of less than a day: runs that the orchestrator still knows.
SELECT org_id, event FROM publications
WHERE outcome = 'published' AND decided_at > now() - interval '23 hours'
ORDER BY decided_at;

-- name: cancel_run(run_id, org_id, attempt)!
INSERT INTO cancelled_runs AS run (run_id, org_id, attempt) VALUES (:run_id, :org_id, :attempt)
ON CONFLICT (run_id) DO UPDATE SET attempt = greatest(run.attempt, excluded.attempt);

-- name: forget_runs(run_ids)!
WITH published AS (DELETE FROM publications WHERE run_id = ANY (:run_ids::uuid[])),
    cancelled AS (DELETE FROM cancelled_runs WHERE run_id = ANY (:run_ids::uuid[]))
DELETE FROM transformation_runs WHERE run_id = ANY (:run_ids::uuid[]);


-- Limits of builds

-- name: rights_to_limit()^
-- What the server lets transform limit: temporary files by a setting, or by looking; tables by looking.
SELECT has_parameter_privilege('temp_file_limit', 'SET') AS limits_temporary,
       written.tables IS NOT NULL AS sees_files, written.temporary IS NOT NULL AS sees_temporary
FROM bytes_written('{}') written;

-- name: bytes_written(pid)^
-- What a session has written and nobody else sees yet, its parallel workers' temporary files included.
SELECT tables, temporary
FROM bytes_written(ARRAY(SELECT pid FROM pg_stat_activity WHERE :pid IN (pid, leader_pid)));


-- Views on live views: read in the role of an organisation, under an empty search path

-- name: views_on(schema, live, gone, gone_columns, gone_said)
-- Live views at depth 0 and all that reads them, each after what it reads; `gone` are live names, with a
-- column that each loses, and what to call that.
WITH RECURSIVE lost AS (
    SELECT attrelid, attnum, said
    FROM unnest(:gone::text[], :gone_columns::text[], :gone_said::text[]) AS gone(name, column_name, said)
    JOIN pg_class ON relname = gone.name AND relnamespace = :schema::text::regnamespace
    JOIN pg_attribute ON attrelid = pg_class.oid AND attname = gone.column_name
), reads(relation, depth) AS (
    SELECT oid, 0 FROM pg_class WHERE relnamespace = :schema::text::regnamespace AND relname = ANY (:live::text[])
    UNION
    -- Views may read each other in a circle, and then nobody can read them.
    SELECT rule.ev_class, depth + 1
    FROM reads
    JOIN pg_depend link ON link.refclassid = 'pg_class'::regclass AND link.refobjid = relation
        AND link.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite rule ON rule.oid = link.objid
    WHERE rule.ev_class <> relation AND rule.rulename = '_RETURN' AND depth < 64
), written(relation, classid, objid) AS (
    SELECT ev_class, 'pg_rewrite'::regclass, oid FROM pg_rewrite
    UNION ALL SELECT indrelid, 'pg_class'::regclass, indexrelid FROM pg_index
    UNION ALL SELECT stxrelid, 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext
)
SELECT view.oid, nspname::text AS schema, relname::text AS name, depth, owner,
       CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind,
       pg_has_role(current_user, relowner, 'SET') AS is_ours,
       relpersistence = 't' AS is_temporary,
       EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = view.oid
               AND deptype IN ('e', 'x')) AS is_of_an_extension,
       -- A literal of such a type is read when the view is made, by code of whoever made the type.
       (SELECT min(format_type(type.oid, NULL))
        FROM written
        JOIN pg_depend link USING (classid, objid)
        JOIN pg_type type ON link.refclassid = 'pg_type'::regclass AND link.refobjid = type.oid
        LEFT JOIN pg_type item ON item.oid = type.typelem
        WHERE written.relation = view.oid AND type.oid >= 16384
          AND (type.typtype NOT IN ('b', 'e') OR item.typtype NOT IN ('b', 'e'))) AS odd_type,
       -- Filling a view runs what it reads with the owner's rights; the organisation's reach all its tables.
       CASE WHEN relkind = 'm' AND owner = current_user THEN (
           WITH RECURSIVE reached(classid, objid) AS (
               SELECT 'pg_class'::regclass::oid, view.oid
               UNION
               SELECT link.refclassid, link.refobjid
               FROM reached
               JOIN written ON reached.classid = 'pg_class'::regclass AND written.relation = reached.objid
               JOIN pg_depend link ON link.classid = written.classid AND link.objid = written.objid
               WHERE link.refobjid >= 16384
           )
           SELECT min(author.rolname::text)
           FROM reached
           LEFT JOIN pg_class ON classid = 'pg_class'::regclass AND pg_class.oid = objid
           LEFT JOIN pg_proc ON classid = 'pg_proc'::regclass AND pg_proc.oid = objid
           LEFT JOIN pg_operator ON classid = 'pg_operator'::regclass AND pg_operator.oid = objid
           JOIN pg_roles author ON author.oid = coalesce(pg_class.relowner, proowner, oprowner)
           WHERE author.rolname <> owner AND NOT rolsuper
             AND NOT EXISTS (SELECT FROM pg_depend part WHERE part.classid = reached.classid
                             AND part.objid = reached.objid AND part.deptype = 'e')) END AS stranger,
       ARRAY(SELECT DISTINCT said
             FROM pg_rewrite rule
             JOIN pg_depend link ON link.classid = 'pg_rewrite'::regclass AND link.objid = rule.oid
             JOIN lost ON link.refclassid = 'pg_class'::regclass AND link.refobjid = attrelid
                 AND link.refobjsubid = attnum
             WHERE rule.ev_class = view.oid AND rule.ev_class <> attrelid
             ORDER BY said) AS lacks
FROM (SELECT relation, max(depth) AS depth FROM reads GROUP BY relation) found
JOIN pg_class view ON view.oid = relation
JOIN pg_namespace space ON space.oid = relnamespace,
LATERAL pg_get_userbyid(relowner) AS owner
ORDER BY depth, nspname, relname;

-- name: states_of_views(schemas, names, live_schema, gone, gone_columns)
-- How to put views back, and all that has to be the same of them then, but for columns that are gone.
WITH wanted AS (
    SELECT view.*, schema, name, format('%I.%I', schema, name) AS sql,
           (SELECT '(' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ')'
            FROM pg_attribute WHERE attrelid = view.oid AND attnum > 0) AS columns,
           (SELECT string_agg(format('%I=%L', option_name, option_value), ', ')
            FROM pg_options_to_table(reloptions)) AS options,
           rtrim(pg_get_viewdef(view.oid), ';') AS definition
    FROM unnest(:schemas::text[], :names::text[]) AS asked(schema, name)
    JOIN pg_namespace space ON nspname = schema
    JOIN pg_class view ON relname = name AND relnamespace = space.oid
), kept AS (
    SELECT attrelid, attnum, attname, atttypid, attacl, attstattarget, attoptions, attcompression,
           attstorage
    FROM wanted JOIN pg_attribute ON attrelid = wanted.oid AND attnum > 0 AND NOT attisdropped
    WHERE NOT EXISTS (SELECT FROM unnest(:gone::text[], :gone_columns::text[]) AS gone(name, column_name)
                      WHERE schema = :live_schema::text AND gone.name = wanted.name AND column_name = attname)
)
SELECT wanted.schema, wanted.name,
    CASE relkind WHEN 'm' THEN format(
        'CREATE MATERIALIZED VIEW %s %s USING %I%s%s AS %s WITH %s', sql, columns,
        (SELECT amname FROM pg_am WHERE pg_am.oid = relam),
        ' WITH (' || options || ')',
        (SELECT format(' TABLESPACE %I', spcname) FROM pg_tablespace space
         WHERE space.oid = reltablespace),
        definition, CASE WHEN relispopulated THEN 'DATA' ELSE 'NO DATA' END)
    ELSE format('CREATE VIEW %s %s AS %s', sql, columns, definition) END AS creation,

    ARRAY(SELECT format('ALTER VIEW %s SET (%s)', sql, options)
          WHERE relkind = 'v' AND options IS NOT NULL)
    || ARRAY(SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = wanted.oid
             ORDER BY indexrelid)
    || ARRAY(SELECT pg_get_statisticsobjdef(made.oid) FROM pg_statistic_ext made
             WHERE stxrelid = wanted.oid ORDER BY made.oid)
    -- What default privileges have given to the new one, and the old one perhaps had lost.
    || format('REVOKE ALL ON %s FROM %s', sql, (
        SELECT string_agg(DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC'
            ELSE quote_ident(pg_get_userbyid(grantee)) END, ', ')
        FROM (SELECT relowner AS grantee UNION SELECT item.grantee
              FROM pg_default_acl, aclexplode(defaclacl) item
              WHERE defaclrole = relowner AND defaclobjtype = 'r'
                AND defaclnamespace IN (0, relnamespace)) given))
    || ARRAY(SELECT format('GRANT %s ON %s TO %s%s',
                 string_agg(privilege_type || of_column, ', '), sql,
                 CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                 CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
             FROM (SELECT item.*, '' AS of_column
                   FROM aclexplode(coalesce(relacl, acldefault('r', relowner))) item
                   UNION ALL
                   SELECT item.*, format(' (%I)', attname)
                   FROM kept, aclexplode(attacl) item WHERE attrelid = wanted.oid) grants
             GROUP BY grantee, is_grantable)
    || ARRAY(SELECT format('COMMENT ON %s %s IS %L',
                 CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, sql, said)
             FROM obj_description(wanted.oid, 'pg_class') said WHERE said IS NOT NULL)
    || ARRAY(SELECT format('COMMENT ON COLUMN %s.%I IS %L', sql, attname, said)
             FROM kept, LATERAL col_description(attrelid, attnum) said
             WHERE attrelid = wanted.oid AND said IS NOT NULL)
    || ARRAY(SELECT format('COMMENT ON INDEX %I.%I IS %L', wanted.schema, part.relname, said)
             FROM pg_index JOIN pg_class part ON part.oid = indexrelid,
                 LATERAL obj_description(indexrelid, 'pg_class') said
             WHERE indrelid = wanted.oid AND said IS NOT NULL)
    || ARRAY(SELECT format('ANALYZE %s', sql) WHERE relkind = 'm' AND relispopulated)
    AS rest,

    jsonb_build_object(
        'owner', pg_get_userbyid(relowner),
        'kind', relkind,
        'options', (SELECT jsonb_agg(option ORDER BY option) FROM unnest(reloptions) option),
        'storage', jsonb_build_array(relam, reltablespace, relpersistence, relreplident,
            relispopulated, (SELECT toast.reloptions FROM pg_class toast
                               WHERE toast.oid = wanted.reltoastrelid)),
        'grants', (SELECT jsonb_agg(item::text ORDER BY item::text)
                   FROM unnest(coalesce(relacl, acldefault('r', relowner))) item),
        'comment', obj_description(wanted.oid, 'pg_class'),
        'columns', (SELECT jsonb_object_agg(attname, traits) FROM kept, LATERAL (
                        SELECT jsonb_strip_nulls(jsonb_build_object(
                            'grants', (SELECT array_agg(item::text ORDER BY item::text)
                                       FROM unnest(attacl) item),
                            'comment', col_description(attrelid, attnum),
                            'default', (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
                                        WHERE adrelid = attrelid AND adnum = attnum),
                            'target', attstattarget,
                            'options', attoptions,
                            'compression', nullif(attcompression, ''),
                            'storage', nullif(attstorage, (SELECT typstorage FROM pg_type type
                                                           WHERE type.oid = atttypid)))) AS traits)
                    WHERE attrelid = wanted.oid AND traits <> '{}'),
        'indexes', (SELECT jsonb_agg(jsonb_build_array(pg_get_indexdef(indexrelid),
                        indisclustered, indisreplident, part.reltablespace,
                        obj_description(indexrelid, 'pg_class'),
                        (SELECT array_agg(attstattarget ORDER BY attnum) FROM pg_attribute
                         WHERE attrelid = indexrelid)) ORDER BY part.relname)
                    FROM pg_index JOIN pg_class part ON part.oid = indexrelid
                    WHERE indrelid = wanted.oid),
        'statistics', (SELECT jsonb_agg(jsonb_build_array(pg_get_statisticsobjdef(made.oid),
                           stxowner, stxstattarget, obj_description(made.oid, 'pg_statistic_ext'))
                           ORDER BY stxname)
                       FROM pg_statistic_ext made WHERE stxrelid = wanted.oid),
        'triggers', (SELECT jsonb_agg(pg_get_triggerdef(made.oid) ORDER BY tgname)
                     FROM pg_trigger made WHERE tgrelid = wanted.oid AND NOT tgisinternal),
        'rules', (SELECT jsonb_agg(pg_get_ruledef(made.oid) ORDER BY rulename)
                  FROM pg_rewrite made WHERE ev_class = wanted.oid AND rulename <> '_RETURN'),
        'security labels', (SELECT jsonb_agg(jsonb_build_array(provider, label)) FROM pg_seclabel
                            WHERE objoid = wanted.oid AND classoid = 'pg_class'::regclass)
    ) AS state
FROM wanted;
