-- What limits of builds need to see, and a time for every statement that sets none of its own.

-- Bytes of the tables that sessions are writing and that only they can see yet, TOAST included, and of
-- their temporary files. Null: the server does not let the owner of this function see files.
-- A new table's file is called as the table's oid, and its writer holds a lock on it.
CREATE FUNCTION bytes_written(sessions integer[], OUT tables bigint, OUT temporary bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    folder text := regexp_replace(pg_relation_filepath('pg_class'::regclass), '[^/]+$', '');
    relation oid;
    part integer;
    size bigint;
BEGIN
    IF has_function_privilege('pg_stat_file(text, boolean)', 'EXECUTE') THEN
        tables := 0;
        FOR relation IN
            SELECT DISTINCT held.relation FROM pg_locks held
            JOIN pg_database own ON own.oid = held.database AND own.datname = current_database()
            WHERE held.locktype = 'relation' AND held.pid = ANY (sessions)
              AND NOT EXISTS (SELECT FROM pg_class WHERE pg_class.oid = held.relation)
        LOOP
            part := 0;
            LOOP
                size := (pg_stat_file(folder || relation || coalesce('.' || nullif(part, 0), ''), true)).size;
                EXIT WHEN size IS NULL;
                tables := tables + size;
                part := part + 1;
            END LOOP;
        END LOOP;
    END IF;
    IF has_function_privilege('pg_ls_tmpdir()', 'EXECUTE') THEN
        SELECT coalesce(sum(file.size), 0) INTO temporary FROM pg_ls_tmpdir() file
        WHERE substring(file.name FROM '^pgsql_tmp(\d+)\.') = ANY (sessions::text[]);
    END IF;
END $$;
REVOKE ALL ON FUNCTION bytes_written(integer[]) FROM PUBLIC;

DO $$ BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION bytes_written(integer[]) TO %I', current_schema());
    -- Of sweeping, publishing, going back, and whatever else takes milliseconds.
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', current_schema(), '10min');
END $$;
