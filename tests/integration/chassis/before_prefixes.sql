-- An installation of the time before names had a prefix: one organisation, a login of another system,
-- a source, a pipeline. Written by pg_dumpall and pg_dump; the password of all logins is only-for-tests.
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
CREATE ROLE auth;
ALTER ROLE auth WITH NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'SCRAM-SHA-256$4096:Ri8Ika/RfF91vBqmwS8HWA==$Na6gCYSD1fZT5lTPs3tRpsZolfUy9Gc+9SNaJRlGrr8=:ifvRnzNMstWLF/1qgFT/AuOxJgCdL3i0OGXeMp/8s9s=';
CREATE ROLE auth_system;
ALTER ROLE auth_system WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE ingest;
ALTER ROLE ingest WITH NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'SCRAM-SHA-256$4096:+EXG/8GRxT7F5EUKpwK1Ig==$gL1PzQdBc3sHu1YXTpiRaRk+TyV7UJ2uxRxTqhhoLgQ=:qvRjyw3Kgzaim9SyLjMmK5vXqJai5RJojwfroUvBtXQ=';
CREATE ROLE ingest_system;
ALTER ROLE ingest_system WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE orchestrator;
ALTER ROLE orchestrator WITH NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'SCRAM-SHA-256$4096:QTkzG9JRlfZvmzlFzwy0tw==$QkruQkNLmN+hU83MAL5YEB3XnU+Ku1FDnnLGNDKnpuE=:OyhL8xv0zACnknATnyhMivRXffkRNK1R91H2Y4gR/Bw=';
CREATE ROLE orchestrator_system;
ALTER ROLE orchestrator_system WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE org_019900000000700080000000000000a1;
ALTER ROLE org_019900000000700080000000000000a1 WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE org_019900000000700080000000000000a1_loader_80000000000000b2;
ALTER ROLE org_019900000000700080000000000000a1_loader_80000000000000b2 WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 2 PASSWORD 'SCRAM-SHA-256$4096:db0yUsq379+2jg6UUfZf6A==$MibN9wFEaZUiM5FDX0QmSsYI9OLXcre/xF3shJUUz4c=:HXMBpq3Q2G5ig2wl+QukXBI4wFj6RkoBrgDA5mHki9A=';
CREATE ROLE org_019900000000700080000000000000a1_reader;
ALTER ROLE org_019900000000700080000000000000a1_reader WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE transform;
ALTER ROLE transform WITH NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'SCRAM-SHA-256$4096:kwxyKs1cajPq0IIolUIoPQ==$3jcnRUBdKo4r+6WYDwjd30ZwngtoQ+q/Yp5bPHZcXqQ=:sv+/3T3w3J9BzKRjUfk283R6PveiMT3Q418KAZ6sFk4=';
CREATE ROLE transform_system;
ALTER ROLE transform_system WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE warehouse_loaders;
ALTER ROLE warehouse_loaders WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE warehouse_watch;
ALTER ROLE warehouse_watch WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
ALTER ROLE auth SET idle_in_transaction_session_timeout TO '5min';
ALTER ROLE auth SET tcp_keepalives_idle TO '30s';
ALTER ROLE auth SET tcp_keepalives_interval TO '10s';
ALTER ROLE auth SET tcp_keepalives_count TO '3';
ALTER ROLE auth SET client_connection_check_interval TO '10s';
ALTER ROLE ingest SET idle_in_transaction_session_timeout TO '5min';
ALTER ROLE ingest SET tcp_keepalives_idle TO '30s';
ALTER ROLE ingest SET tcp_keepalives_interval TO '10s';
ALTER ROLE ingest SET tcp_keepalives_count TO '3';
ALTER ROLE ingest SET client_connection_check_interval TO '10s';
ALTER ROLE orchestrator SET idle_in_transaction_session_timeout TO '5min';
ALTER ROLE orchestrator SET tcp_keepalives_idle TO '30s';
ALTER ROLE orchestrator SET tcp_keepalives_interval TO '10s';
ALTER ROLE orchestrator SET tcp_keepalives_count TO '3';
ALTER ROLE orchestrator SET client_connection_check_interval TO '10s';
ALTER ROLE org_019900000000700080000000000000a1_loader_80000000000000b2 SET search_path TO 'org_019900000000700080000000000000a1_landing';
ALTER ROLE org_019900000000700080000000000000a1_loader_80000000000000b2 SET statement_timeout TO '1h';
ALTER ROLE org_019900000000700080000000000000a1_loader_80000000000000b2 SET idle_in_transaction_session_timeout TO '10min';
ALTER ROLE org_019900000000700080000000000000a1_loader_80000000000000b2 SET temp_file_limit TO '2GB';
ALTER ROLE transform SET idle_in_transaction_session_timeout TO '5min';
ALTER ROLE transform SET tcp_keepalives_idle TO '30s';
ALTER ROLE transform SET tcp_keepalives_interval TO '10s';
ALTER ROLE transform SET tcp_keepalives_count TO '3';
ALTER ROLE transform SET client_connection_check_interval TO '10s';
ALTER ROLE transform SET statement_timeout TO '10min';
GRANT auth TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT auth_system TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT auth_system TO auth WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT auth_system TO dalgo_migrator WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT ingest TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT ingest_system TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT ingest_system TO ingest WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT ingest_system TO dalgo_migrator WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT orchestrator TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT orchestrator_system TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT orchestrator_system TO orchestrator WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT orchestrator_system TO dalgo_migrator WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT org_019900000000700080000000000000a1 TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT org_019900000000700080000000000000a1 TO ingest WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT org_019900000000700080000000000000a1 TO transform WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT org_019900000000700080000000000000a1 TO dalgo_migrator WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT org_019900000000700080000000000000a1_loader_80000000000000b2 TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT org_019900000000700080000000000000a1_loader_80000000000000b2 TO org_019900000000700080000000000000a1 WITH INHERIT TRUE, SET FALSE GRANTED BY dalgo_migrator;
GRANT org_019900000000700080000000000000a1_loader_80000000000000b2 TO warehouse_watch WITH INHERIT TRUE, SET FALSE GRANTED BY dalgo_migrator;
GRANT org_019900000000700080000000000000a1_reader TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT pg_use_reserved_connections TO ingest WITH INHERIT TRUE, SET FALSE GRANTED BY dalgo_migrator;
GRANT pg_use_reserved_connections TO orchestrator WITH INHERIT TRUE, SET FALSE GRANTED BY dalgo_migrator;
GRANT pg_use_reserved_connections TO transform WITH INHERIT TRUE, SET FALSE GRANTED BY dalgo_migrator;
GRANT pg_use_reserved_connections TO auth WITH INHERIT TRUE, SET FALSE GRANTED BY dalgo_migrator;
GRANT transform TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT transform_system TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT transform_system TO transform WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT transform_system TO dalgo_migrator WITH INHERIT FALSE GRANTED BY dalgo_migrator;
GRANT warehouse_loaders TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT warehouse_loaders TO org_019900000000700080000000000000a1_loader_80000000000000b2 WITH INHERIT TRUE, SET FALSE GRANTED BY dalgo_migrator;
GRANT warehouse_watch TO dalgo_migrator WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;
GRANT warehouse_watch TO dalgo_migrator WITH INHERIT FALSE GRANTED BY dalgo_migrator;
SET SESSION AUTHORIZATION dalgo_migrator;
GRANT SET ON PARAMETER temp_file_limit TO auth;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION dalgo_migrator;
GRANT SET ON PARAMETER temp_file_limit TO ingest;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION dalgo_migrator;
GRANT SET ON PARAMETER temp_file_limit TO transform;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION dalgo_migrator;
GRANT SET ON PARAMETER temp_file_limit TO orchestrator;
RESET SESSION AUTHORIZATION;
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
GRANT CONNECT ON DATABASE dalgo TO warehouse_loaders, auth, ingest, transform, orchestrator;
CREATE SCHEMA auth;
ALTER SCHEMA auth OWNER TO dalgo_migrator;
CREATE SCHEMA chassis;
ALTER SCHEMA chassis OWNER TO dalgo_migrator;
CREATE SCHEMA ingest;
ALTER SCHEMA ingest OWNER TO dalgo_migrator;
CREATE SCHEMA orchestrator;
ALTER SCHEMA orchestrator OWNER TO dalgo_migrator;
CREATE SCHEMA org_019900000000700080000000000000a1;
ALTER SCHEMA org_019900000000700080000000000000a1 OWNER TO org_019900000000700080000000000000a1;
CREATE SCHEMA org_019900000000700080000000000000a1_data;
ALTER SCHEMA org_019900000000700080000000000000a1_data OWNER TO org_019900000000700080000000000000a1;
CREATE SCHEMA org_019900000000700080000000000000a1_landing;
ALTER SCHEMA org_019900000000700080000000000000a1_landing OWNER TO org_019900000000700080000000000000a1;
CREATE SCHEMA transform;
ALTER SCHEMA transform OWNER TO dalgo_migrator;
CREATE SCHEMA warehouse;
ALTER SCHEMA warehouse OWNER TO dalgo_migrator;
CREATE FUNCTION auth.take_lock(wanted text) RETURNS void
    LANGUAGE plpgsql
    AS $$
        BEGIN
            LOOP
                PERFORM FROM auth.locks WHERE key = wanted FOR UPDATE;
                EXIT WHEN FOUND;
                -- Only the first time; another transaction that inserts the same row is waited for.
                INSERT INTO auth.locks (key) VALUES (wanted) ON CONFLICT DO NOTHING;
                EXIT WHEN FOUND;
            END LOOP;
        END $$;
ALTER FUNCTION auth.take_lock(wanted text) OWNER TO dalgo_migrator;
CREATE FUNCTION auth.try_lock(wanted text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
        BEGIN
            PERFORM FROM auth.locks WHERE key = wanted FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
                RETURN true;
            END IF;
            INSERT INTO auth.locks (key) SELECT wanted
            WHERE NOT EXISTS (SELECT FROM auth.locks WHERE key = wanted)
            ON CONFLICT DO NOTHING;
            RETURN FOUND;
        END $$;
ALTER FUNCTION auth.try_lock(wanted text) OWNER TO dalgo_migrator;
CREATE FUNCTION chassis.organization_table(name regclass) RETURNS void
    LANGUAGE plpgsql
    AS $_$
DECLARE
    service text := (SELECT nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
                     WHERE c.oid = name);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name);
    EXECUTE format($policy$
        CREATE POLICY organization ON %s TO %I
        USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
        WITH CHECK (org_id = nullif(current_setting('app.org_id', true), '')::uuid)
    $policy$, name, service);
    EXECUTE format('CREATE POLICY everything ON %s TO %I USING (true) WITH CHECK (true)',
                   name, service || '_system');
END $_$;
ALTER FUNCTION chassis.organization_table(name regclass) OWNER TO dalgo_migrator;
CREATE FUNCTION ingest.take_lock(wanted text) RETURNS void
    LANGUAGE plpgsql
    AS $$
        BEGIN
            LOOP
                PERFORM FROM ingest.locks WHERE key = wanted FOR UPDATE;
                EXIT WHEN FOUND;
                -- Only the first time; another transaction that inserts the same row is waited for.
                INSERT INTO ingest.locks (key) VALUES (wanted) ON CONFLICT DO NOTHING;
                EXIT WHEN FOUND;
            END LOOP;
        END $$;
ALTER FUNCTION ingest.take_lock(wanted text) OWNER TO dalgo_migrator;
CREATE FUNCTION ingest.try_lock(wanted text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
        BEGIN
            PERFORM FROM ingest.locks WHERE key = wanted FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
                RETURN true;
            END IF;
            INSERT INTO ingest.locks (key) SELECT wanted
            WHERE NOT EXISTS (SELECT FROM ingest.locks WHERE key = wanted)
            ON CONFLICT DO NOTHING;
            RETURN FOUND;
        END $$;
ALTER FUNCTION ingest.try_lock(wanted text) OWNER TO dalgo_migrator;
CREATE FUNCTION orchestrator.has_room(organization uuid, run uuid, syncs bigint, builds bigint, max_syncs bigint, max_builds bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM take_lock('slots.' || organization);
    RETURN (
        SELECT (has_room.syncs = 0 OR has_room.syncs + coalesce(sum(other.syncs), 0) <= max_syncs)
           AND (has_room.builds = 0 OR has_room.builds + coalesce(sum(other.builds), 0) <= max_builds)
        FROM runs other
        WHERE other.org_id = organization AND other.id <> run
          AND other.status IN ('syncing', 'transforming', 'publishing')
    );
END $$;
ALTER FUNCTION orchestrator.has_room(organization uuid, run uuid, syncs bigint, builds bigint, max_syncs bigint, max_builds bigint) OWNER TO dalgo_migrator;
CREATE FUNCTION orchestrator.is_alone(organization uuid, run uuid) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM take_lock('slots.' || organization);
    RETURN EXISTS (SELECT FROM admission WHERE drained_since IS NULL) AND NOT EXISTS (
        SELECT FROM runs other
        WHERE other.org_id = organization AND other.id <> run
          AND other.status IN ('queued', 'syncing', 'transforming', 'publishing')
    );
END $$;
ALTER FUNCTION orchestrator.is_alone(organization uuid, run uuid) OWNER TO dalgo_migrator;
CREATE FUNCTION orchestrator.take_lock(wanted text) RETURNS void
    LANGUAGE plpgsql
    AS $$
        BEGIN
            LOOP
                PERFORM FROM orchestrator.locks WHERE key = wanted FOR UPDATE;
                EXIT WHEN FOUND;
                -- Only the first time; another transaction that inserts the same row is waited for.
                INSERT INTO orchestrator.locks (key) VALUES (wanted) ON CONFLICT DO NOTHING;
                EXIT WHEN FOUND;
            END LOOP;
        END $$;
ALTER FUNCTION orchestrator.take_lock(wanted text) OWNER TO dalgo_migrator;
CREATE FUNCTION orchestrator.try_lock(wanted text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
        BEGIN
            PERFORM FROM orchestrator.locks WHERE key = wanted FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
                RETURN true;
            END IF;
            INSERT INTO orchestrator.locks (key) SELECT wanted
            WHERE NOT EXISTS (SELECT FROM orchestrator.locks WHERE key = wanted)
            ON CONFLICT DO NOTHING;
            RETURN FOUND;
        END $$;
ALTER FUNCTION orchestrator.try_lock(wanted text) OWNER TO dalgo_migrator;
CREATE FUNCTION transform.bytes_written(sessions integer[], OUT tables bigint, OUT temporary bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;
ALTER FUNCTION transform.bytes_written(sessions integer[], OUT tables bigint, OUT temporary bigint) OWNER TO dalgo_migrator;
CREATE FUNCTION transform.take_lock(wanted text) RETURNS void
    LANGUAGE plpgsql
    AS $$
        BEGIN
            LOOP
                PERFORM FROM transform.locks WHERE key = wanted FOR UPDATE;
                EXIT WHEN FOUND;
                -- Only the first time; another transaction that inserts the same row is waited for.
                INSERT INTO transform.locks (key) VALUES (wanted) ON CONFLICT DO NOTHING;
                EXIT WHEN FOUND;
            END LOOP;
        END $$;
ALTER FUNCTION transform.take_lock(wanted text) OWNER TO dalgo_migrator;
CREATE FUNCTION transform.try_lock(wanted text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
        BEGIN
            PERFORM FROM transform.locks WHERE key = wanted FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
                RETURN true;
            END IF;
            INSERT INTO transform.locks (key) SELECT wanted
            WHERE NOT EXISTS (SELECT FROM transform.locks WHERE key = wanted)
            ON CONFLICT DO NOTHING;
            RETURN FOUND;
        END $$;
ALTER FUNCTION transform.try_lock(wanted text) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.crowded(most_relations integer) RETURNS TABLE(org_id uuid)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT substr(rolname::text, 5, 32)::uuid FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
    WHERE rolname ~ '^org_[0-9a-f]{32}_loader_[0-9a-f]{16}$'
    GROUP BY 1 HAVING count(*) > most_relations
$_$;
ALTER FUNCTION warehouse.crowded(most_relations integer) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.drop_loader(org uuid, source uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '3s'
    AS $$
DECLARE
    owner  text := 'org_' || replace(org::text, '-', '');
    loader text := warehouse.loader_role(org, source);
BEGIN
    IF warehouse.lock_loader(org, source) THEN
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE', owner);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %I', owner || '_landing', loader);
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE', owner);
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE', loader);
        BEGIN
            EXECUTE format('DROP OWNED BY %I CASCADE', loader);
        EXCEPTION WHEN lock_not_available THEN
            PERFORM warehouse.end_granting_sessions(loader::name);
            EXECUTE format('DROP OWNED BY %I CASCADE', loader);
        END;
        BEGIN
            EXECUTE format('DROP ROLE %I', loader);
        EXCEPTION WHEN dependent_objects_still_exist OR lock_not_available THEN
            EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE', loader);
        END;
    END IF;
END $$;
ALTER FUNCTION warehouse.drop_loader(org uuid, source uuid) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.end_granting_sessions(loader name) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT warehouse.end_sessions(login) FROM warehouse.open_loaders()
    WHERE login <> loader AND to_regrole(quote_ident(login)) IN (
        SELECT owned.refobjid
        FROM pg_shdepend AS named
        LEFT JOIN pg_policy ON named.classid = 'pg_policy'::regclass AND pg_policy.oid = named.objid
        -- A policy has no owner but its table's.
        JOIN pg_shdepend AS owned ON owned.deptype = 'o' AND owned.dbid = named.dbid
            AND owned.classid = CASE WHEN pg_policy.oid IS NULL THEN named.classid ELSE 'pg_class'::regclass END
            AND owned.objid = coalesce(polrelid, named.objid)
        WHERE named.refclassid = 'pg_authid'::regclass AND named.deptype IN ('a', 'r')
          AND named.refobjid = to_regrole(quote_ident(loader))
          AND named.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
$$;
ALTER FUNCTION warehouse.end_granting_sessions(loader name) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.end_largest_holder(fewest integer) RETURNS TABLE(org_id uuid)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
    -- What the transaction has seen of sessions before.
    PERFORM pg_stat_clear_snapshot();
    RETURN QUERY
        WITH sessions AS MATERIALIZED (
            SELECT pid, substr(pg_get_userbyid(usesysid)::text, 5, 32) AS org
            FROM pg_stat_get_activity(NULL)
            WHERE pg_get_userbyid(usesysid) ~ '^org_[0-9a-f]{32}_loader_[0-9a-f]{16}$'
        ), largest AS MATERIALIZED (
            -- Locks of the fast path take no place in the table.
            SELECT org FROM pg_lock_status() AS held JOIN sessions USING (pid)
            WHERE NOT held.fastpath GROUP BY org HAVING count(*) > fewest
            ORDER BY count(*) DESC LIMIT 1
        )
        SELECT org::uuid FROM largest JOIN sessions USING (org) GROUP BY org
        HAVING bool_or(pg_terminate_backend(pid));
END $_$;
ALTER FUNCTION warehouse.end_largest_holder(fewest integer) OWNER TO warehouse_watch;
CREATE FUNCTION warehouse.end_loader_sessions(org uuid, source uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF warehouse.lock_loader(org, source) THEN
        PERFORM warehouse.end_sessions(warehouse.loader_role(org, source));
    END IF;
END $$;
ALTER FUNCTION warehouse.end_loader_sessions(org uuid, source uuid) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.end_sessions(login name) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000))
    FROM pg_stat_activity WHERE usename = login
$$;
ALTER FUNCTION warehouse.end_sessions(login name) OWNER TO warehouse_watch;
CREATE FUNCTION warehouse.excesses(most_locks integer, longest interval) RETURNS TABLE(login name, reason text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    sessions integer[] := ARRAY(
        SELECT pid FROM pg_stat_activity
        WHERE usename ~ '^org_[0-9a-f]{32}_loader_[0-9a-f]{16}$'
    );
BEGIN
    IF sessions <> '{}' THEN
        RETURN QUERY
            SELECT DISTINCT usename, 'locks' FROM pg_stat_activity JOIN (
                SELECT pid FROM pg_locks WHERE pid = ANY (sessions)
                GROUP BY pid HAVING count(*) > most_locks
            ) held USING (pid)
            UNION ALL
            SELECT DISTINCT usename, 'transaction' FROM pg_stat_activity
            WHERE pid = ANY (sessions) AND xact_start < clock_timestamp() - longest;
    END IF;
END $_$;
ALTER FUNCTION warehouse.excesses(most_locks integer, longest interval) OWNER TO warehouse_watch;
CREATE FUNCTION warehouse.issue_loader(org uuid, source uuid, verifier text, each integer, most integer, of_services integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    owner   text := 'org_' || replace(org::text, '-', '');
    landing text := owner || '_landing';
    loader  text := warehouse.loader_role(org, source);
    is_new  boolean;
    paused  timestamptz;
    room    bigint := current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - greatest(of_services, coalesce(current_setting('reserved_connections', true)::int, 0));
BEGIN
    -- Anything else would be taken for a password in clear.
    IF verifier !~ '^SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' THEN
        RAISE EXCEPTION 'not a SCRAM verifier' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    is_new := NOT warehouse.lock_loader(org, source);
    SELECT until INTO paused FROM warehouse.loader_pauses WHERE org_id = org;
    IF paused IS NOT NULL THEN
        -- A pause that is over lasts on while there are too many relations.
        RAISE EXCEPTION '%', greatest(60, ceil(extract(epoch FROM paused - clock_timestamp())))::integer
            USING ERRCODE = 'object_in_use';
    END IF;
    IF NOT EXISTS (SELECT FROM warehouse.open_loaders() WHERE login = loader) THEN
        IF (SELECT count(*) FROM warehouse.open_loaders()
            WHERE starts_with(login::text, owner || '_loader_')) >= most THEN
            RAISE EXCEPTION 'organisation % has % loaders', org, most
                USING ERRCODE = 'program_limit_exceeded';
        END IF;
        PERFORM FROM warehouse.loader_count FOR UPDATE;
        -- A login that is paused has none now, and will have them again.
        IF ((SELECT count(*) FROM warehouse.open_loaders()) + 1) * each > room THEN
            RAISE EXCEPTION 'all % connections for loaders are promised', room
                USING ERRCODE = 'configuration_limit_exceeded';
        END IF;
    END IF;
    PERFORM set_config('lock_timeout', '3s', true);
    IF is_new THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', loader);
    ELSE
        PERFORM warehouse.end_sessions(loader);
        EXECUTE format('ALTER ROLE %I NOLOGIN', loader);
    END IF;
    EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE', owner);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', landing, owner);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', landing, loader);
    EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE', owner);
    EXECUTE format('GRANT warehouse_loaders TO %I WITH INHERIT TRUE, SET FALSE', loader);
    EXECUTE format('GRANT %I TO warehouse_watch WITH INHERIT TRUE, SET FALSE', loader);
    -- The organisation may do with the login's tables what the login may, whatever it grants or
    -- revokes there; default privileges are the login's own to change.
    EXECUTE format('GRANT %I TO %I WITH INHERIT TRUE, SET FALSE', loader, owner);
    EXECUTE format('ALTER ROLE %I SET search_path = %I', loader, landing);
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', loader, '1h');
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', loader, '10min');
    PERFORM warehouse.limit_loader(loader, each);
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', loader, verifier);
END $_$;
ALTER FUNCTION warehouse.issue_loader(org uuid, source uuid, verifier text, each integer, most integer, of_services integer) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.limit_loader(loader name, connections integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', loader, connections);
    IF has_parameter_privilege('temp_file_limit', 'SET') THEN
        EXECUTE format('ALTER ROLE %I SET temp_file_limit = %L', loader, '2GB');
    END IF;
END $$;
ALTER FUNCTION warehouse.limit_loader(loader name, connections integer) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.limit_loaders_of(org uuid, connections integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    loader name;
BEGIN
    FOR loader IN SELECT login FROM warehouse.open_loaders()
        WHERE starts_with(login::text, 'org_' || replace(org::text, '-', '') || '_loader_')
    LOOP
        -- One of its sessions may hold the login's own row, by an ALTER ROLE that is not committed.
        PERFORM warehouse.end_sessions(loader);
        EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', loader, connections);
        PERFORM warehouse.end_sessions(loader);
    END LOOP;
END $$;
ALTER FUNCTION warehouse.limit_loaders_of(org uuid, connections integer) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.loader_role(org uuid, source uuid) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT 'org_' || replace(org::text, '-', '') || '_loader_'
        || right(replace(source::text, '-', ''), 16)
$$;
ALTER FUNCTION warehouse.loader_role(org uuid, source uuid) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.lock_loader(org uuid, source uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM warehouse.lock_organization(org);
    RETURN EXISTS (SELECT FROM pg_roles WHERE rolname = warehouse.loader_role(org, source));
END $$;
ALTER FUNCTION warehouse.lock_loader(org uuid, source uuid) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.lock_organization(org uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    LOOP
        PERFORM FROM warehouse.locks WHERE org_id = org FOR UPDATE;
        EXIT WHEN FOUND;
        -- Only the first time; another transaction that inserts the same row is waited for.
        INSERT INTO warehouse.locks (org_id) VALUES (org) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
END $$;
ALTER FUNCTION warehouse.lock_organization(org uuid) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.open_loaders() RETURNS TABLE(login name, connections integer)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT rolname, rolconnlimit FROM pg_roles
    WHERE rolcanlogin AND rolname ~ '^org_[0-9a-f]{32}_loader_[0-9a-f]{16}$'
$_$;
ALTER FUNCTION warehouse.open_loaders() OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.pause_loaders(org uuid, pause interval) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '3s'
    AS $$
BEGIN
    INSERT INTO warehouse.loader_pauses VALUES (org, clock_timestamp() + pause)
    ON CONFLICT (org_id) DO UPDATE SET until = excluded.until;
    PERFORM warehouse.limit_loaders_of(org, 0);
END $$;
ALTER FUNCTION warehouse.pause_loaders(org uuid, pause interval) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.provision_organization(org uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    owner  text := 'org_' || replace(org::text, '-', '');
    reader text := owner || '_reader';
    data   text := owner || '_data';
BEGIN
    PERFORM warehouse.lock_organization(org);
    IF EXISTS (SELECT FROM warehouse.erased_organizations WHERE org_id = org) THEN
        RAISE EXCEPTION 'organisation % was erased', org
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = owner) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', owner);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = reader) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', reader);
    END IF;
    IF EXISTS (SELECT FROM pg_namespace WHERE nspname = owner)
       AND EXISTS (SELECT FROM pg_namespace WHERE nspname = data) THEN
        RETURN;
    END IF;
    -- Creating a role gives ADMIN on it and no more (PostgreSQL 16 and later); making a schema its
    -- own takes SET, and default privileges in its name take INHERIT, which is given back below.
    EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE', owner);
    EXECUTE format('GRANT %I TO ingest, transform WITH INHERIT FALSE, SET TRUE', owner);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', owner, owner);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', data, owner);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', owner, reader);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I',
                   owner, owner, reader);
    EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE', owner);
END $$;
ALTER FUNCTION warehouse.provision_organization(org uuid) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.revoke_loader(org uuid, source uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    loader text := warehouse.loader_role(org, source);
BEGIN
    IF warehouse.lock_loader(org, source) THEN
        PERFORM set_config('lock_timeout', '3s', true);
        PERFORM warehouse.end_sessions(loader);
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', loader);
    END IF;
END $$;
ALTER FUNCTION warehouse.revoke_loader(org uuid, source uuid) OWNER TO dalgo_migrator;
CREATE FUNCTION warehouse.watch_loaders(most_locks integer, most_relations integer, longest interval, pause interval, each integer) RETURNS TABLE(login name, org_id uuid, reason text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '3s'
    AS $_$
#variable_conflict use_column
DECLARE
    found record;
BEGIN
    -- A session that began just before its login was shut.
    PERFORM warehouse.end_sessions(open.login)
    FROM warehouse.open_loaders() AS open JOIN warehouse.loader_pauses AS paused
        ON starts_with(open.login::text, 'org_' || replace(paused.org_id::text, '-', '') || '_loader_');
    FOR found IN
        SELECT over.login, substr(over.login::text, 5, 32)::uuid AS org_id, over.reason
        FROM warehouse.excesses(most_locks, longest) AS over
        UNION ALL
        SELECT NULL, org_id, 'relations' FROM warehouse.crowded(most_relations)
        WHERE org_id NOT IN (SELECT org_id FROM warehouse.loader_pauses)
          -- All relations are counted only while there is a session that may make more.
          AND EXISTS (
            SELECT FROM pg_stat_activity
            WHERE usename ~ '^org_[0-9a-f]{32}_loader_[0-9a-f]{16}$'
        )
    LOOP
        BEGIN
            PERFORM warehouse.end_sessions(found.login);
            IF found.reason <> 'transaction' THEN
                INSERT INTO warehouse.loader_pauses VALUES (found.org_id, clock_timestamp() + pause)
                ON CONFLICT (org_id) DO UPDATE SET until = excluded.until;
                PERFORM warehouse.limit_loaders_of(found.org_id, 0);
            END IF;
        EXCEPTION WHEN lock_not_available OR internal_error THEN
            CONTINUE;  -- Another session was quicker; it is found again.
        END;
        RETURN QUERY SELECT found.login, found.org_id, found.reason;
    END LOOP;
    FOR found IN
        DELETE FROM warehouse.loader_pauses
        WHERE until <= clock_timestamp()
          AND org_id NOT IN (SELECT org_id FROM warehouse.crowded(most_relations))
        RETURNING org_id
    LOOP
        PERFORM warehouse.limit_loaders_of(found.org_id, each);
        RETURN QUERY SELECT NULL::name, found.org_id, 'resumed';
    END LOOP;
END $_$;
ALTER FUNCTION warehouse.watch_loaders(most_locks integer, most_relations integer, longest interval, pause interval, each integer) OWNER TO dalgo_migrator;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE auth.bus_streams (
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
ALTER TABLE auth.bus_streams OWNER TO dalgo_migrator;
CREATE TABLE auth.dead_letters (
    id uuid NOT NULL,
    stream text NOT NULL,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    reason text NOT NULL,
    deliveries integer NOT NULL,
    died_at timestamp with time zone DEFAULT now() NOT NULL,
    replays integer DEFAULT 0 NOT NULL,
    replayed_at timestamp with time zone
);
ALTER TABLE auth.dead_letters OWNER TO dalgo_migrator;
CREATE TABLE auth.hand_backs (
    message_id uuid NOT NULL,
    times integer DEFAULT 1 NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE auth.hand_backs OWNER TO dalgo_migrator;
CREATE TABLE auth.inbox (
    message_id uuid NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE auth.inbox OWNER TO dalgo_migrator;
CREATE TABLE auth.locks (
    key text NOT NULL
);
ALTER TABLE auth.locks OWNER TO dalgo_migrator;
CREATE TABLE auth.organization_members (
    user_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT organization_members_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'runner'::text, 'editor'::text, 'admin'::text, 'owner'::text])))
);
ALTER TABLE auth.organization_members OWNER TO dalgo_migrator;
CREATE TABLE auth.organizations (
    id uuid NOT NULL,
    name text NOT NULL,
    timezone text DEFAULT 'UTC'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE auth.organizations OWNER TO dalgo_migrator;
CREATE TABLE auth.outbox (
    seq bigint NOT NULL,
    id uuid NOT NULL,
    stream text NOT NULL,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    published_at timestamp with time zone
);
ALTER TABLE auth.outbox OWNER TO dalgo_migrator;
ALTER TABLE auth.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME auth.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE auth.refresh_tokens (
    hash bytea NOT NULL,
    session_id uuid NOT NULL,
    parent bytea,
    is_active boolean NOT NULL,
    sealed text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE auth.refresh_tokens OWNER TO dalgo_migrator;
CREATE TABLE auth.schema_migrations (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE auth.schema_migrations OWNER TO dalgo_migrator;
CREATE TABLE auth.sessions (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    revoked_because text,
    CONSTRAINT sessions_revoked_because_check CHECK ((revoked_because = ANY (ARRAY['logout'::text, 'replay'::text])))
);
ALTER TABLE auth.sessions OWNER TO dalgo_migrator;
CREATE TABLE auth.signing_keys (
    kid text NOT NULL,
    private text NOT NULL,
    public bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    retired_at timestamp with time zone
);
ALTER TABLE auth.signing_keys OWNER TO dalgo_migrator;
CREATE TABLE auth.users (
    id uuid NOT NULL,
    email text NOT NULL,
    name text,
    password_hash text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE auth.users OWNER TO dalgo_migrator;
CREATE TABLE chassis.migrator (
);
ALTER TABLE chassis.migrator OWNER TO dalgo_migrator;
COMMENT ON TABLE chassis.migrator IS 'Locked by a migrator at work: another waits.';
CREATE TABLE ingest.announcements (
    id uuid NOT NULL,
    seq bigint NOT NULL,
    org_id uuid NOT NULL,
    table_name text NOT NULL,
    row_count bigint,
    heard_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY ingest.announcements FORCE ROW LEVEL SECURITY;
ALTER TABLE ingest.announcements OWNER TO dalgo_migrator;
ALTER TABLE ingest.announcements ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ingest.announcements_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE ingest.bus_streams (
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
ALTER TABLE ingest.bus_streams OWNER TO dalgo_migrator;
CREATE TABLE ingest.cancelled_runs (
    run_id uuid NOT NULL,
    org_id uuid NOT NULL,
    cancelled_at timestamp with time zone DEFAULT now() NOT NULL,
    attempt integer DEFAULT 1 NOT NULL
);
ALTER TABLE ONLY ingest.cancelled_runs FORCE ROW LEVEL SECURITY;
ALTER TABLE ingest.cancelled_runs OWNER TO dalgo_migrator;
CREATE TABLE ingest.dead_letters (
    id uuid NOT NULL,
    stream text NOT NULL,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    reason text NOT NULL,
    deliveries integer NOT NULL,
    died_at timestamp with time zone DEFAULT now() NOT NULL,
    replays integer DEFAULT 0 NOT NULL,
    replayed_at timestamp with time zone
);
ALTER TABLE ingest.dead_letters OWNER TO dalgo_migrator;
CREATE TABLE ingest.google_quotas (
    credential text NOT NULL,
    full_at timestamp with time zone NOT NULL
);
ALTER TABLE ingest.google_quotas OWNER TO dalgo_migrator;
CREATE TABLE ingest.hand_backs (
    message_id uuid NOT NULL,
    times integer DEFAULT 1 NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ingest.hand_backs OWNER TO dalgo_migrator;
CREATE TABLE ingest.inbox (
    message_id uuid NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ingest.inbox OWNER TO dalgo_migrator;
CREATE TABLE ingest.locks (
    key text NOT NULL
);
ALTER TABLE ingest.locks OWNER TO dalgo_migrator;
CREATE TABLE ingest.outbox (
    seq bigint NOT NULL,
    id uuid NOT NULL,
    stream text NOT NULL,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    published_at timestamp with time zone
);
ALTER TABLE ingest.outbox OWNER TO dalgo_migrator;
ALTER TABLE ingest.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ingest.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE ingest.schema_changes (
    source_id uuid NOT NULL,
    number integer NOT NULL,
    org_id uuid NOT NULL,
    table_id uuid NOT NULL,
    table_name text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    is_open boolean DEFAULT true NOT NULL,
    detail jsonb NOT NULL,
    run_id uuid NOT NULL,
    first_seen timestamp with time zone DEFAULT now() NOT NULL,
    last_seen timestamp with time zone DEFAULT now() NOT NULL,
    decided_by text,
    decided_at timestamp with time zone,
    CONSTRAINT schema_changes_kind_check CHECK ((kind = ANY (ARRAY['drift'::text, 'shrinkage'::text]))),
    CONSTRAINT schema_changes_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'accepted'::text, 'rejected'::text, 'taken'::text, 'superseded'::text])))
);
ALTER TABLE ONLY ingest.schema_changes FORCE ROW LEVEL SECURITY;
ALTER TABLE ingest.schema_changes OWNER TO dalgo_migrator;
CREATE TABLE ingest.schema_migrations (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ingest.schema_migrations OWNER TO dalgo_migrator;
CREATE TABLE ingest.source_uploads (
    source_id uuid NOT NULL,
    "position" bigint NOT NULL,
    org_id uuid NOT NULL,
    upload_id uuid NOT NULL,
    former boolean NOT NULL
);
ALTER TABLE ONLY ingest.source_uploads FORCE ROW LEVEL SECURITY;
ALTER TABLE ingest.source_uploads OWNER TO dalgo_migrator;
CREATE TABLE ingest.sources (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    source_type text NOT NULL,
    config jsonb NOT NULL,
    status text DEFAULT 'ready'::text NOT NULL,
    digest text NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    warnings jsonb NOT NULL,
    last_synced_at timestamp with time zone,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    secrets jsonb DEFAULT '{}'::jsonb NOT NULL,
    other_tables jsonb DEFAULT '[]'::jsonb NOT NULL,
    let_go text
);
ALTER TABLE ONLY ingest.sources FORCE ROW LEVEL SECURITY;
ALTER TABLE ingest.sources OWNER TO dalgo_migrator;
CREATE TABLE ingest.sync_runs (
    step_id uuid NOT NULL,
    org_id uuid NOT NULL,
    run_id uuid NOT NULL,
    source_id uuid NOT NULL,
    lease integer DEFAULT 1 NOT NULL,
    outcome text,
    event jsonb,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    begun text[] DEFAULT '{}'::text[] NOT NULL,
    shape text,
    holder uuid,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sync_runs_outcome_check CHECK ((outcome = ANY (ARRAY['synced'::text, 'failed'::text])))
);
ALTER TABLE ONLY ingest.sync_runs FORCE ROW LEVEL SECURITY;
ALTER TABLE ingest.sync_runs OWNER TO dalgo_migrator;
CREATE TABLE ingest.uploads (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    filename text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY ingest.uploads FORCE ROW LEVEL SECURITY;
ALTER TABLE ingest.uploads OWNER TO dalgo_migrator;
CREATE TABLE ingest.waiting_syncs (
    step_id uuid NOT NULL,
    org_id uuid NOT NULL,
    source_id uuid NOT NULL,
    run_id uuid NOT NULL,
    table_name text NOT NULL,
    after_seq bigint NOT NULL,
    command jsonb NOT NULL,
    actor text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    deadline timestamp with time zone NOT NULL,
    resumed_at timestamp with time zone,
    trace jsonb DEFAULT '{}'::jsonb NOT NULL
);
ALTER TABLE ONLY ingest.waiting_syncs FORCE ROW LEVEL SECURITY;
ALTER TABLE ingest.waiting_syncs OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.admission (
    only_row boolean DEFAULT true NOT NULL,
    drained_since timestamp with time zone,
    CONSTRAINT admission_only_row_check CHECK (only_row)
);
ALTER TABLE orchestrator.admission OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.bus_streams (
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
ALTER TABLE orchestrator.bus_streams OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.dead_letters (
    id uuid NOT NULL,
    stream text NOT NULL,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    reason text NOT NULL,
    deliveries integer NOT NULL,
    died_at timestamp with time zone DEFAULT now() NOT NULL,
    replays integer DEFAULT 0 NOT NULL,
    replayed_at timestamp with time zone
);
ALTER TABLE orchestrator.dead_letters OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.firings (
    pipeline_id uuid NOT NULL,
    scheduled_for timestamp with time zone,
    org_id uuid NOT NULL,
    run_id uuid,
    reason text,
    at timestamp with time zone NOT NULL,
    caused_by uuid,
    cause jsonb,
    CONSTRAINT firings_check CHECK ((num_nonnulls(scheduled_for, caused_by) = 1))
);
ALTER TABLE ONLY orchestrator.firings FORCE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.firings OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.hand_backs (
    message_id uuid NOT NULL,
    times integer DEFAULT 1 NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE orchestrator.hand_backs OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.inbox (
    message_id uuid NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE orchestrator.inbox OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.locks (
    key text NOT NULL
);
ALTER TABLE orchestrator.locks OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.outbox (
    seq bigint NOT NULL,
    id uuid NOT NULL,
    stream text NOT NULL,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    published_at timestamp with time zone
);
ALTER TABLE orchestrator.outbox OWNER TO dalgo_migrator;
ALTER TABLE orchestrator.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME orchestrator.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE orchestrator.pipelines (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    source_ids uuid[] NOT NULL,
    transformation_ids uuid[] NOT NULL,
    digest text NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY orchestrator.pipelines FORCE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.pipelines OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.run_claims (
    table_id uuid NOT NULL,
    org_id uuid NOT NULL,
    run_id uuid NOT NULL,
    is_held boolean DEFAULT false NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY orchestrator.run_claims FORCE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.run_claims OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.run_events (
    org_id uuid NOT NULL,
    run_id uuid NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    "time" timestamp with time zone NOT NULL,
    data jsonb NOT NULL
);
ALTER TABLE ONLY orchestrator.run_events FORCE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.run_events OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.run_targets (
    run_id uuid NOT NULL,
    target_id uuid NOT NULL,
    org_id uuid NOT NULL
);
ALTER TABLE ONLY orchestrator.run_targets FORCE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.run_targets OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.runs (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    pipeline_id uuid,
    status text NOT NULL,
    writes uuid[] NOT NULL,
    actor text NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state jsonb NOT NULL,
    look_at timestamp with time zone,
    repeats integer DEFAULT 0 NOT NULL,
    syncs integer DEFAULT 0 NOT NULL,
    builds integer DEFAULT 0 NOT NULL,
    waits_since timestamp with time zone,
    waits_outside boolean DEFAULT false NOT NULL,
    kind text GENERATED ALWAYS AS ((state ->> 'kind'::text)) STORED,
    trigger_type text GENERATED ALWAYS AS ((state #>> '{trigger,type}'::text[])) STORED,
    ended_at timestamp with time zone
);
ALTER TABLE ONLY orchestrator.runs FORCE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.runs OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.schedules (
    pipeline_id uuid NOT NULL,
    org_id uuid NOT NULL,
    rule jsonb NOT NULL,
    next_run_at timestamp with time zone
);
ALTER TABLE ONLY orchestrator.schedules FORCE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.schedules OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.schema_migrations (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE orchestrator.schema_migrations OWNER TO dalgo_migrator;
CREATE TABLE orchestrator.triggers (
    pipeline_id uuid NOT NULL,
    "position" integer NOT NULL,
    org_id uuid NOT NULL,
    after_pipeline_id uuid,
    source_id uuid,
    only_if_changed boolean NOT NULL,
    is_active boolean NOT NULL,
    overlap text NOT NULL
);
ALTER TABLE ONLY orchestrator.triggers FORCE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.triggers OWNER TO dalgo_migrator;
CREATE TABLE org_019900000000700080000000000000a1_data.v_a (
    n integer
);
ALTER TABLE org_019900000000700080000000000000a1_data.v_a OWNER TO org_019900000000700080000000000000a1;
CREATE VIEW org_019900000000700080000000000000a1.source_a AS
 SELECT n
   FROM org_019900000000700080000000000000a1_data.v_a;
ALTER VIEW org_019900000000700080000000000000a1.source_a OWNER TO org_019900000000700080000000000000a1;
CREATE TABLE org_019900000000700080000000000000a1_landing.wells (
    depth integer
);
ALTER TABLE org_019900000000700080000000000000a1_landing.wells OWNER TO org_019900000000700080000000000000a1_loader_80000000000000b2;
CREATE TABLE transform.bus_streams (
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
ALTER TABLE transform.bus_streams OWNER TO dalgo_migrator;
CREATE TABLE transform.cancelled_runs (
    run_id uuid NOT NULL,
    org_id uuid NOT NULL,
    cancelled_at timestamp with time zone DEFAULT now() NOT NULL,
    attempt integer DEFAULT 1 NOT NULL
);
ALTER TABLE ONLY transform.cancelled_runs FORCE ROW LEVEL SECURITY;
ALTER TABLE transform.cancelled_runs OWNER TO dalgo_migrator;
CREATE TABLE transform.dead_letters (
    id uuid NOT NULL,
    stream text NOT NULL,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    reason text NOT NULL,
    deliveries integer NOT NULL,
    died_at timestamp with time zone DEFAULT now() NOT NULL,
    replays integer DEFAULT 0 NOT NULL,
    replayed_at timestamp with time zone
);
ALTER TABLE transform.dead_letters OWNER TO dalgo_migrator;
CREATE TABLE transform.hand_backs (
    message_id uuid NOT NULL,
    times integer DEFAULT 1 NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE transform.hand_backs OWNER TO dalgo_migrator;
CREATE TABLE transform.inbox (
    message_id uuid NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE transform.inbox OWNER TO dalgo_migrator;
CREATE TABLE transform.locks (
    key text NOT NULL
);
ALTER TABLE transform.locks OWNER TO dalgo_migrator;
CREATE TABLE transform.outbox (
    seq bigint NOT NULL,
    id uuid NOT NULL,
    stream text NOT NULL,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    published_at timestamp with time zone
);
ALTER TABLE transform.outbox OWNER TO dalgo_migrator;
ALTER TABLE transform.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME transform.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE transform.publications (
    run_id uuid NOT NULL,
    org_id uuid NOT NULL,
    outcome text NOT NULL,
    event jsonb NOT NULL,
    decided_at timestamp with time zone DEFAULT now() NOT NULL,
    attempt integer DEFAULT 1 NOT NULL,
    CONSTRAINT publications_outcome_check CHECK ((outcome = ANY (ARRAY['published'::text, 'aborted'::text, 'failed'::text])))
);
ALTER TABLE ONLY transform.publications FORCE ROW LEVEL SECURITY;
ALTER TABLE transform.publications OWNER TO dalgo_migrator;
CREATE TABLE transform.schema_migrations (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE transform.schema_migrations OWNER TO dalgo_migrator;
CREATE TABLE transform.table_reads (
    transformation_id uuid NOT NULL,
    table_id uuid NOT NULL,
    org_id uuid NOT NULL
);
ALTER TABLE ONLY transform.table_reads FORCE ROW LEVEL SECURITY;
ALTER TABLE transform.table_reads OWNER TO dalgo_migrator;
CREATE TABLE transform.table_versions (
    version_id uuid NOT NULL,
    org_id uuid NOT NULL,
    table_id uuid NOT NULL,
    relation text NOT NULL,
    columns jsonb NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    fingerprint text NOT NULL,
    published_at timestamp with time zone DEFAULT now() NOT NULL,
    superseded_at timestamp with time zone,
    nullable jsonb
);
ALTER TABLE ONLY transform.table_versions FORCE ROW LEVEL SECURITY;
ALTER TABLE transform.table_versions OWNER TO dalgo_migrator;
COMMENT ON COLUMN transform.table_versions.nullable IS 'Display names of columns with empty cells; null: not known.';
CREATE TABLE transform.transformation_runs (
    step_id uuid NOT NULL,
    org_id uuid NOT NULL,
    run_id uuid NOT NULL,
    transformation_id uuid NOT NULL,
    lease integer DEFAULT 1 NOT NULL,
    outcome text,
    event jsonb,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    holder uuid,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY transform.transformation_runs FORCE ROW LEVEL SECURITY;
ALTER TABLE transform.transformation_runs OWNER TO dalgo_migrator;
COMMENT ON COLUMN transform.transformation_runs.lease IS 'Grows with every claim; only the newest commits.';
CREATE TABLE transform.transformation_versions (
    transformation_id uuid NOT NULL,
    version integer NOT NULL,
    org_id uuid NOT NULL,
    recipe jsonb NOT NULL,
    saved_by text NOT NULL,
    saved_at timestamp with time zone DEFAULT now() NOT NULL,
    table_names jsonb DEFAULT '{}'::jsonb NOT NULL,
    restored_from integer
);
ALTER TABLE ONLY transform.transformation_versions FORCE ROW LEVEL SECURITY;
ALTER TABLE transform.transformation_versions OWNER TO dalgo_migrator;
COMMENT ON COLUMN transform.transformation_versions.recipe IS 'Names tables by their live names.';
COMMENT ON COLUMN transform.transformation_versions.table_names IS 'Live to display names, at the save.';
CREATE TABLE transform.transformations (
    transformation_id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    description text,
    version integer NOT NULL,
    digest text NOT NULL,
    last_run_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleting_since timestamp with time zone
);
ALTER TABLE ONLY transform.transformations FORCE ROW LEVEL SECURITY;
ALTER TABLE transform.transformations OWNER TO dalgo_migrator;
COMMENT ON COLUMN transform.transformations.transformation_id IS 'Also the id of the table that it writes.';
COMMENT ON COLUMN transform.transformations.digest IS 'Of the request that created it: is a repeat the same?';
COMMENT ON COLUMN transform.transformations.deleting_since IS 'For a minute no run and no pipeline begins with it.';
CREATE TABLE transform.warehouse_tables (
    table_id uuid NOT NULL,
    org_id uuid NOT NULL,
    kind text NOT NULL,
    display_name text NOT NULL,
    display_key text NOT NULL,
    expected jsonb NOT NULL,
    version_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT warehouse_tables_kind_check CHECK ((kind = ANY (ARRAY['source'::text, 'transform'::text])))
);
ALTER TABLE ONLY transform.warehouse_tables FORCE ROW LEVEL SECURITY;
ALTER TABLE transform.warehouse_tables OWNER TO dalgo_migrator;
COMMENT ON COLUMN transform.warehouse_tables.display_key IS 'Two names are the same when their keys are.';
COMMENT ON COLUMN transform.warehouse_tables.expected IS 'Columns until a version is published.';
COMMENT ON COLUMN transform.warehouse_tables.version_id IS 'The published version; null: never published.';
CREATE TABLE warehouse.erased_organizations (
    org_id uuid NOT NULL,
    erased_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE warehouse.erased_organizations OWNER TO dalgo_migrator;
COMMENT ON TABLE warehouse.erased_organizations IS 'Tombstones: a late message must not bring an erased organisation back.';
CREATE TABLE warehouse.loader_count (
    is_one boolean DEFAULT true NOT NULL,
    CONSTRAINT loader_count_is_one_check CHECK (is_one)
);
ALTER TABLE warehouse.loader_count OWNER TO dalgo_migrator;
CREATE TABLE warehouse.loader_pauses (
    org_id uuid NOT NULL,
    until timestamp with time zone NOT NULL
);
ALTER TABLE warehouse.loader_pauses OWNER TO dalgo_migrator;
CREATE TABLE warehouse.locks (
    org_id uuid NOT NULL
);
ALTER TABLE warehouse.locks OWNER TO dalgo_migrator;
CREATE TABLE warehouse.schema_migrations (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE warehouse.schema_migrations OWNER TO dalgo_migrator;
INSERT INTO auth.schema_migrations VALUES ('chassis/0001_chassis.sql', '820da55961ad43e49cc6dc864137d4f63bc049b18870c6d3615ada29b5aa9269', '2026-12-01 12:37:04.116658+00');
INSERT INTO auth.schema_migrations VALUES ('chassis/0002_replayed_letters.sql', '69cb1ea36128ea128b6947f07b1321c9927d106df999fc634867377f23a70b19', '2026-12-01 12:37:04.116658+00');
INSERT INTO auth.schema_migrations VALUES ('chassis/0003_locks.sql', 'b67ab5b306702f69aef98381f3667c60a21d7a88e23702a5ca0d040a466c6700', '2026-12-01 12:37:04.116658+00');
INSERT INTO auth.schema_migrations VALUES ('chassis/0004_bus.sql', 'b9450da66bdb774449321ae28f6d073810c2a0a5bb7e4ce369f8ffee5311c2d3', '2026-12-01 12:37:04.116658+00');
INSERT INTO auth.schema_migrations VALUES ('auth/0001_identities.sql', '2ab3ba2b17e950a546eebe4f89a6a54a5734341ba2f0720e4fb82781436bc6ad', '2026-12-01 12:37:04.116658+00');
INSERT INTO ingest.schema_migrations VALUES ('chassis/0001_chassis.sql', '820da55961ad43e49cc6dc864137d4f63bc049b18870c6d3615ada29b5aa9269', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('chassis/0002_replayed_letters.sql', '69cb1ea36128ea128b6947f07b1321c9927d106df999fc634867377f23a70b19', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('chassis/0003_locks.sql', 'b67ab5b306702f69aef98381f3667c60a21d7a88e23702a5ca0d040a466c6700', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('chassis/0004_bus.sql', 'b9450da66bdb774449321ae28f6d073810c2a0a5bb7e4ce369f8ffee5311c2d3', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0001_sources.sql', 'd52587ec8493870f56d4433a295eab8639e80154cf563b53b193b8d74107c0f2', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0002_begun_versions.sql', 'e702faf7fbffaad467f9c27c6972dea6404440a299228f469ceb7adf049ce2cd', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0003_connectors.sql', '011cbade9441320ae407d76e4e390bbc6fc4b9b998e9f5a9ed608a2ba3606aae', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0004_external.sql', '23be9b4fbf25412591174da21ae66dfdde881b98e16f022815e4d86752be9ce4', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0005_google_quotas.sql', 'eec791466b10d3ddc766ff782c987b26a0871bd702084f633ad3920070ac20e1', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0006_uploads_let_go.sql', '0952c753cd06a398bda3103db02484ebe789936611a2dbf35bf09508721980d4', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0007_schema_changes.sql', 'b0c79debfab6f68c92cb1b0977deb69135b34348e314c0a7bbfaaa4e2095b826', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0008_source_uploads.sql', '4f47edc2e7145188e1504ef4a4bedc57d069287d669e8c660a9ef1a86e44fcac', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0009_holders.sql', '78e56444effc7d3cbe7e3475ea1af4030fcd31e9e341848621a61ad0d8f0ab16', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0010_attempts.sql', '3d6aabd4fdc0c741e45273574d7a510ccc4cd57d7bc700b693df3421502d2609', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0011_forgotten_runs.sql', '753e8a5199d4304f8b84b186abf0ad3208a8abbd6d5c0eb89dd117fb9bde9939', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0012_traces.sql', '01a097922925cefa9f2e96988a414d5c41beb3aef63eee917a117c03cbc3e06d', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.schema_migrations VALUES ('ingest/0013_heartbeats.sql', 'f05c8a5f3a12d8f0fbb9d48b842b314318cf7df863ba33e4d4d07c25fe2fe3a3', '2026-12-01 12:37:04.14441+00');
INSERT INTO ingest.sources VALUES ('01990000-0000-7000-8000-0000000000b2', '01990000-0000-7000-8000-0000000000a1', 'Wells', 'wells', 'external', '{}', 'ready', '', 1, '[]', NULL, NULL, '2026-12-01 12:37:04.361233+00', '{}', '[]', NULL);
INSERT INTO orchestrator.admission VALUES (true, NULL);
INSERT INTO orchestrator.locks VALUES ('outbox');
INSERT INTO orchestrator.outbox OVERRIDING SYSTEM VALUE VALUES (1, '84ded73e-8b60-428b-bdb4-22c51d680944', 'EVT', 'evt.kept', '{}', '\x', '2026-12-01 12:37:04.331829+00', NULL);
INSERT INTO orchestrator.pipelines VALUES ('01990000-0000-7000-8000-0000000000d4', '01990000-0000-7000-8000-0000000000a1', 'Wells', 'wells', '{}', '{}', '', 1, '2026-12-01 12:37:04.360479+00');
INSERT INTO orchestrator.schema_migrations VALUES ('chassis/0001_chassis.sql', '820da55961ad43e49cc6dc864137d4f63bc049b18870c6d3615ada29b5aa9269', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('chassis/0002_replayed_letters.sql', '69cb1ea36128ea128b6947f07b1321c9927d106df999fc634867377f23a70b19', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('chassis/0003_locks.sql', 'b67ab5b306702f69aef98381f3667c60a21d7a88e23702a5ca0d040a466c6700', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('chassis/0004_bus.sql', 'b9450da66bdb774449321ae28f6d073810c2a0a5bb7e4ce369f8ffee5311c2d3', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('orchestrator/0001_runs.sql', '95e6b9a32a3a437df2161024b01c384757359e345853f11b2ad516edec4c437b', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('orchestrator/0002_schedules.sql', 'eb6cdafb5d1e00244b70f186312baac8adb74988c45d8feb88090c86e18a719d', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('orchestrator/0003_watched_runs.sql', '6f9e72ec201e660d7e7a60b54df6398561883634f5658b054e99ef2b030b80cc', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('orchestrator/0004_drain.sql', 'f46007524b8b454022ceb083b56b829b0d9703bdd1ac29cc08d54964b38d537d', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('orchestrator/0005_triggers.sql', '25a7a861c69ade114eafb29ba39d152b4a2f94bf21bd70de82d530cb58a1caf9', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('orchestrator/0006_room.sql', '8ecafa1d006d5434cab53ad32c4edef2b88430dc1cd99c339c9f89704ab01653', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('orchestrator/0007_history.sql', '4b64db0fbf726188385c74f13b51093df786aec8a69875f484fdb883bc6eb93f', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('orchestrator/0008_alone.sql', '0035fbd39ecacf1324fadf30ca726226269abdc020a1d2c5c5355c4415552494', '2026-12-01 12:37:04.217049+00');
INSERT INTO orchestrator.schema_migrations VALUES ('orchestrator/0009_lock_rows.sql', '3900b0b82adf5a670530ad6acc345b53fe206d8d0c87078b2265021bae5a382e', '2026-12-01 12:37:04.217049+00');
INSERT INTO org_019900000000700080000000000000a1_data.v_a VALUES (1);
INSERT INTO org_019900000000700080000000000000a1_landing.wells VALUES (7);
INSERT INTO transform.schema_migrations VALUES ('chassis/0001_chassis.sql', '820da55961ad43e49cc6dc864137d4f63bc049b18870c6d3615ada29b5aa9269', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('chassis/0002_replayed_letters.sql', '69cb1ea36128ea128b6947f07b1321c9927d106df999fc634867377f23a70b19', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('chassis/0003_locks.sql', 'b67ab5b306702f69aef98381f3667c60a21d7a88e23702a5ca0d040a466c6700', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('chassis/0004_bus.sql', 'b9450da66bdb774449321ae28f6d073810c2a0a5bb7e4ce369f8ffee5311c2d3', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0001_warehouse.sql', '47cc6d5272fd7e8b151e72c061e78bc0f12ca192e1fd6c50884895f45d6d62b3', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0002_transformations.sql', '0df9cda3ab799025f20acfebcd30eb058d12e5f12c52e7a3e3b47797240f7662', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0003_recipe_versions.sql', '000a5808242d0d52633a19445c91b77718116afb45d34c88d2e8f4e36d0a3770', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0004_nullable_columns.sql', '7cd11996dc803931602e48b52795829b79a72113e82fcb00e45d02cfca915b40', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0005_holders.sql', '692c59828ca01c6a7da83f9f95c49845d50ebc39574dbcce96b3578dd93df9cf', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0006_attempts.sql', 'dd52bd7aca040e2b64016e9162dfc4889a9d1e17a6a946f92b8cf9b155c0251b', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0008_sweeping.sql', '7c792d337a43b158a43b68c3d2cb6759b96ea5cc8a2d8fdc0e6fe53540855e67', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0009_forgotten_runs.sql', 'ef3a4b4c996e3e69fbb49b3b03d53c4f4730ed8b65139bc3feb0284ae1ffe84c', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0011_build_limits.sql', '9104d24f2eb6bb449bd9cfc3ecd5c1d1875a2a60841760c4f179b26adda84950', '2026-12-01 12:37:04.182798+00');
INSERT INTO transform.schema_migrations VALUES ('transform/0012_heartbeats.sql', '7a233e3ecb6adeb1c7188230c0b52b105b48276ccadc543321d031a38ba7f6c9', '2026-12-01 12:37:04.182798+00');
INSERT INTO warehouse.erased_organizations VALUES ('01990000-0000-7000-8000-0000000000c3', '2026-12-01 12:37:04.34868+00');
INSERT INTO warehouse.loader_count VALUES (true);
INSERT INTO warehouse.locks VALUES ('01990000-0000-7000-8000-0000000000a1');
INSERT INTO warehouse.schema_migrations VALUES ('warehouse/0001_provision.sql', '7d39b239bb00aa895385ed3aef60cd2268d0274025c625751a0fb17f3ad7e0ba', '2026-12-01 12:37:04.263611+00');
INSERT INTO warehouse.schema_migrations VALUES ('warehouse/0002_loaders.sql', '8d2690d714db6744707c36ef7216fa29474de8766c5e91f4e88a46da5ee542c6', '2026-12-01 12:37:04.263611+00');
INSERT INTO warehouse.schema_migrations VALUES ('warehouse/0003_loader_limits.sql', '63b05d274ef3eaa7a517fd58c45038a344b16f0cfcbcbec6a48d43bbdf4ed60c', '2026-12-01 12:37:04.263611+00');
INSERT INTO warehouse.schema_migrations VALUES ('warehouse/0004_lock_rows.sql', '93320a87a380860afb6415f3353cf50fd7581afd85b23fc95fe3ff6116c877d3', '2026-12-01 12:37:04.263611+00');
INSERT INTO warehouse.schema_migrations VALUES ('warehouse/0005_loader_watch.sql', 'c9e59fd874afb305e397cb46bf39b403e7df724a9ab21d9934a8a79cf5a52080', '2026-12-01 12:37:04.263611+00');
INSERT INTO warehouse.schema_migrations VALUES ('warehouse/0006_loader_grants.sql', '3445987f00bc66afd14811a1b14d86522b18be110f1910c8be9aef876197d397', '2026-12-01 12:37:04.263611+00');
INSERT INTO warehouse.schema_migrations VALUES ('warehouse/0007_full_lock_table.sql', 'ce7d9de593e215a5e6e2e4d7b658f61510377e4959fbe90fa6eaf1231bb91c70', '2026-12-01 12:37:04.263611+00');
SELECT pg_catalog.setval('auth.outbox_seq_seq', 1, false);
SELECT pg_catalog.setval('ingest.announcements_seq_seq', 1, false);
SELECT pg_catalog.setval('ingest.outbox_seq_seq', 1, false);
SELECT pg_catalog.setval('orchestrator.outbox_seq_seq', 1, true);
SELECT pg_catalog.setval('transform.outbox_seq_seq', 1, false);
ALTER TABLE ONLY auth.bus_streams
    ADD CONSTRAINT bus_streams_pkey PRIMARY KEY (name);
ALTER TABLE ONLY auth.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY auth.hand_backs
    ADD CONSTRAINT hand_backs_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY auth.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY auth.locks
    ADD CONSTRAINT locks_pkey PRIMARY KEY (key);
ALTER TABLE ONLY auth.organization_members
    ADD CONSTRAINT organization_members_pkey PRIMARY KEY (user_id, organization_id);
ALTER TABLE ONLY auth.organizations
    ADD CONSTRAINT organizations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY auth.outbox
    ADD CONSTRAINT outbox_id_key UNIQUE (id);
ALTER TABLE ONLY auth.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY auth.refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY auth.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);
ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY auth.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (kid);
ALTER TABLE ONLY auth.users
    ADD CONSTRAINT users_email_key UNIQUE (email);
ALTER TABLE ONLY auth.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ingest.announcements
    ADD CONSTRAINT announcements_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ingest.bus_streams
    ADD CONSTRAINT bus_streams_pkey PRIMARY KEY (name);
ALTER TABLE ONLY ingest.cancelled_runs
    ADD CONSTRAINT cancelled_runs_pkey PRIMARY KEY (run_id);
ALTER TABLE ONLY ingest.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ingest.google_quotas
    ADD CONSTRAINT google_quotas_pkey PRIMARY KEY (credential);
ALTER TABLE ONLY ingest.hand_backs
    ADD CONSTRAINT hand_backs_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY ingest.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY ingest.locks
    ADD CONSTRAINT locks_pkey PRIMARY KEY (key);
ALTER TABLE ONLY ingest.outbox
    ADD CONSTRAINT outbox_id_key UNIQUE (id);
ALTER TABLE ONLY ingest.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY ingest.schema_changes
    ADD CONSTRAINT schema_changes_pkey PRIMARY KEY (source_id, number);
ALTER TABLE ONLY ingest.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);
ALTER TABLE ONLY ingest.source_uploads
    ADD CONSTRAINT source_uploads_pkey PRIMARY KEY (source_id, "position");
ALTER TABLE ONLY ingest.source_uploads
    ADD CONSTRAINT source_uploads_source_id_upload_id_key UNIQUE (source_id, upload_id);
ALTER TABLE ONLY ingest.sources
    ADD CONSTRAINT sources_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ingest.sync_runs
    ADD CONSTRAINT sync_runs_pkey PRIMARY KEY (step_id);
ALTER TABLE ONLY ingest.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ingest.waiting_syncs
    ADD CONSTRAINT waiting_syncs_pkey PRIMARY KEY (step_id);
ALTER TABLE ONLY orchestrator.admission
    ADD CONSTRAINT admission_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY orchestrator.bus_streams
    ADD CONSTRAINT bus_streams_pkey PRIMARY KEY (name);
ALTER TABLE ONLY orchestrator.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY orchestrator.firings
    ADD CONSTRAINT firings_pipeline_id_caused_by_key UNIQUE (pipeline_id, caused_by);
ALTER TABLE ONLY orchestrator.firings
    ADD CONSTRAINT firings_pipeline_id_scheduled_for_key UNIQUE (pipeline_id, scheduled_for);
ALTER TABLE ONLY orchestrator.hand_backs
    ADD CONSTRAINT hand_backs_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY orchestrator.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY orchestrator.locks
    ADD CONSTRAINT locks_pkey PRIMARY KEY (key);
ALTER TABLE ONLY orchestrator.outbox
    ADD CONSTRAINT outbox_id_key UNIQUE (id);
ALTER TABLE ONLY orchestrator.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY orchestrator.pipelines
    ADD CONSTRAINT pipelines_org_id_name_key_key UNIQUE (org_id, name_key);
ALTER TABLE ONLY orchestrator.pipelines
    ADD CONSTRAINT pipelines_pkey PRIMARY KEY (id);
ALTER TABLE ONLY orchestrator.run_claims
    ADD CONSTRAINT run_claims_pkey PRIMARY KEY (run_id, table_id);
ALTER TABLE ONLY orchestrator.run_events
    ADD CONSTRAINT run_events_pkey PRIMARY KEY (run_id, version);
ALTER TABLE ONLY orchestrator.run_targets
    ADD CONSTRAINT run_targets_pkey PRIMARY KEY (run_id, target_id);
ALTER TABLE ONLY orchestrator.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY orchestrator.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (pipeline_id);
ALTER TABLE ONLY orchestrator.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);
ALTER TABLE ONLY orchestrator.triggers
    ADD CONSTRAINT triggers_pkey PRIMARY KEY (pipeline_id, "position");
ALTER TABLE ONLY transform.bus_streams
    ADD CONSTRAINT bus_streams_pkey PRIMARY KEY (name);
ALTER TABLE ONLY transform.cancelled_runs
    ADD CONSTRAINT cancelled_runs_pkey PRIMARY KEY (run_id);
ALTER TABLE ONLY transform.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY transform.warehouse_tables
    ADD CONSTRAINT display_name_is_unique UNIQUE (org_id, display_key);
ALTER TABLE ONLY transform.hand_backs
    ADD CONSTRAINT hand_backs_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY transform.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY transform.locks
    ADD CONSTRAINT locks_pkey PRIMARY KEY (key);
ALTER TABLE ONLY transform.outbox
    ADD CONSTRAINT outbox_id_key UNIQUE (id);
ALTER TABLE ONLY transform.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY transform.publications
    ADD CONSTRAINT publications_pkey PRIMARY KEY (run_id, attempt);
ALTER TABLE ONLY transform.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);
ALTER TABLE ONLY transform.table_reads
    ADD CONSTRAINT table_reads_pkey PRIMARY KEY (transformation_id, table_id);
ALTER TABLE ONLY transform.table_versions
    ADD CONSTRAINT table_versions_pkey PRIMARY KEY (version_id);
ALTER TABLE ONLY transform.transformation_runs
    ADD CONSTRAINT transformation_runs_pkey PRIMARY KEY (step_id);
ALTER TABLE ONLY transform.transformation_versions
    ADD CONSTRAINT transformation_versions_pkey PRIMARY KEY (transformation_id, version);
ALTER TABLE ONLY transform.transformations
    ADD CONSTRAINT transformations_pkey PRIMARY KEY (transformation_id);
ALTER TABLE ONLY transform.warehouse_tables
    ADD CONSTRAINT warehouse_tables_pkey PRIMARY KEY (table_id);
ALTER TABLE ONLY warehouse.erased_organizations
    ADD CONSTRAINT erased_organizations_pkey PRIMARY KEY (org_id);
ALTER TABLE ONLY warehouse.loader_count
    ADD CONSTRAINT loader_count_pkey PRIMARY KEY (is_one);
ALTER TABLE ONLY warehouse.loader_pauses
    ADD CONSTRAINT loader_pauses_pkey PRIMARY KEY (org_id);
ALTER TABLE ONLY warehouse.locks
    ADD CONSTRAINT locks_pkey PRIMARY KEY (org_id);
ALTER TABLE ONLY warehouse.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);
CREATE INDEX organization_members_organization ON auth.organization_members USING btree (organization_id);
CREATE INDEX outbox_published ON auth.outbox USING btree (published_at) WHERE (published_at IS NOT NULL);
CREATE INDEX outbox_unpublished ON auth.outbox USING btree (seq) WHERE (published_at IS NULL);
CREATE UNIQUE INDEX refresh_tokens_active ON auth.refresh_tokens USING btree (session_id) WHERE is_active;
CREATE INDEX sessions_user ON auth.sessions USING btree (user_id, expires_at);
CREATE INDEX announcements_of_table ON ingest.announcements USING btree (org_id, table_name, seq);
CREATE INDEX open_schema_changes ON ingest.schema_changes USING btree (source_id) WHERE is_open;
CREATE INDEX outbox_published ON ingest.outbox USING btree (published_at) WHERE (published_at IS NOT NULL);
CREATE INDEX outbox_unpublished ON ingest.outbox USING btree (seq) WHERE (published_at IS NULL);
CREATE INDEX source_uploads_by_upload ON ingest.source_uploads USING btree (upload_id);
CREATE INDEX sources_by_name ON ingest.sources USING btree (org_id, name_key, id);
CREATE INDEX sync_runs_by_source ON ingest.sync_runs USING btree (source_id, ended_at);
CREATE INDEX sync_runs_of_run ON ingest.sync_runs USING btree (run_id);
CREATE INDEX sync_runs_of_source ON ingest.sync_runs USING btree (org_id, source_id);
CREATE INDEX waiting_syncs_due ON ingest.waiting_syncs USING btree (deadline) WHERE (resumed_at IS NULL);
CREATE INDEX outbox_published ON orchestrator.outbox USING btree (published_at) WHERE (published_at IS NOT NULL);
CREATE INDEX outbox_unpublished ON orchestrator.outbox USING btree (seq) WHERE (published_at IS NULL);
CREATE UNIQUE INDEX run_claims_held ON orchestrator.run_claims USING btree (table_id) WHERE is_held;
CREATE INDEX run_claims_line ON orchestrator.run_claims USING btree (org_id, table_id, is_held DESC, since, run_id);
CREATE INDEX run_targets_by_target ON orchestrator.run_targets USING btree (target_id);
CREATE INDEX runs_active ON orchestrator.runs USING btree (org_id, created_at) WHERE (status = ANY (ARRAY['syncing'::text, 'transforming'::text, 'publishing'::text]));
CREATE INDEX runs_ended ON orchestrator.runs USING btree (org_id, ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX runs_of_pipeline ON orchestrator.runs USING btree (pipeline_id, created_at DESC) WHERE (pipeline_id IS NOT NULL);
CREATE INDEX runs_queued ON orchestrator.runs USING btree (org_id, created_at) WHERE (status = 'queued'::text);
CREATE INDEX runs_recent ON orchestrator.runs USING btree (org_id, created_at DESC, id DESC);
CREATE INDEX runs_unended ON orchestrator.runs USING btree (org_id, created_at DESC, id DESC) WHERE (status = ANY (ARRAY['queued'::text, 'syncing'::text, 'transforming'::text, 'publishing'::text]));
CREATE INDEX runs_unwell ON orchestrator.runs USING btree (org_id, created_at DESC, id DESC) WHERE (status = ANY (ARRAY['failed'::text, 'cancelled'::text]));
CREATE INDEX runs_waiting ON orchestrator.runs USING btree (org_id, waits_since) WHERE (waits_since IS NOT NULL);
CREATE INDEX runs_watched ON orchestrator.runs USING btree (look_at) WHERE (look_at IS NOT NULL);
CREATE INDEX schedules_due ON orchestrator.schedules USING btree (next_run_at) WHERE (next_run_at IS NOT NULL);
CREATE INDEX triggers_after ON orchestrator.triggers USING btree (after_pipeline_id) WHERE (after_pipeline_id IS NOT NULL);
CREATE INDEX triggers_on_upload ON orchestrator.triggers USING btree (org_id) WHERE (after_pipeline_id IS NULL);
CREATE INDEX outbox_published ON transform.outbox USING btree (published_at) WHERE (published_at IS NOT NULL);
CREATE INDEX outbox_unpublished ON transform.outbox USING btree (seq) WHERE (published_at IS NULL);
CREATE INDEX table_reads_by_table ON transform.table_reads USING btree (table_id);
CREATE INDEX table_versions_by_organization ON transform.table_versions USING btree (org_id, superseded_at);
CREATE INDEX table_versions_by_table ON transform.table_versions USING btree (table_id, published_at);
CREATE INDEX transformation_runs_of_run ON transform.transformation_runs USING btree (run_id);
CREATE INDEX transformations_by_name ON transform.transformations USING btree (org_id, name_key, transformation_id);
CREATE INDEX warehouse_tables_by_version ON transform.warehouse_tables USING btree (version_id);
ALTER TABLE ONLY auth.organization_members
    ADD CONSTRAINT organization_members_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES auth.organizations(id) ON DELETE CASCADE;
ALTER TABLE ONLY auth.organization_members
    ADD CONSTRAINT organization_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY auth.refresh_tokens
    ADD CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES auth.sessions(id) ON DELETE CASCADE;
ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_user_id_organization_id_fkey FOREIGN KEY (user_id, organization_id) REFERENCES auth.organization_members(user_id, organization_id) ON DELETE CASCADE;
ALTER TABLE ONLY ingest.schema_changes
    ADD CONSTRAINT schema_changes_source_id_fkey FOREIGN KEY (source_id) REFERENCES ingest.sources(id) ON DELETE CASCADE;
ALTER TABLE ONLY ingest.source_uploads
    ADD CONSTRAINT source_uploads_source_id_fkey FOREIGN KEY (source_id) REFERENCES ingest.sources(id) ON DELETE CASCADE;
ALTER TABLE ONLY orchestrator.firings
    ADD CONSTRAINT firings_pipeline_id_fkey FOREIGN KEY (pipeline_id) REFERENCES orchestrator.pipelines(id) ON DELETE CASCADE;
ALTER TABLE ONLY orchestrator.run_claims
    ADD CONSTRAINT run_claims_run_id_fkey FOREIGN KEY (run_id) REFERENCES orchestrator.runs(id) ON DELETE CASCADE;
ALTER TABLE ONLY orchestrator.run_events
    ADD CONSTRAINT run_events_run_id_fkey FOREIGN KEY (run_id) REFERENCES orchestrator.runs(id) ON DELETE CASCADE;
ALTER TABLE ONLY orchestrator.run_targets
    ADD CONSTRAINT run_targets_run_id_fkey FOREIGN KEY (run_id) REFERENCES orchestrator.runs(id) ON DELETE CASCADE;
ALTER TABLE ONLY orchestrator.schedules
    ADD CONSTRAINT schedules_pipeline_id_fkey FOREIGN KEY (pipeline_id) REFERENCES orchestrator.pipelines(id) ON DELETE CASCADE;
ALTER TABLE ONLY orchestrator.triggers
    ADD CONSTRAINT triggers_after_pipeline_id_fkey FOREIGN KEY (after_pipeline_id) REFERENCES orchestrator.pipelines(id) ON DELETE CASCADE;
ALTER TABLE ONLY orchestrator.triggers
    ADD CONSTRAINT triggers_pipeline_id_fkey FOREIGN KEY (pipeline_id) REFERENCES orchestrator.pipelines(id) ON DELETE CASCADE;
ALTER TABLE ONLY transform.table_reads
    ADD CONSTRAINT table_reads_table_id_fkey FOREIGN KEY (table_id) REFERENCES transform.warehouse_tables(table_id);
ALTER TABLE ONLY transform.table_reads
    ADD CONSTRAINT table_reads_transformation_id_fkey FOREIGN KEY (transformation_id) REFERENCES transform.transformations(transformation_id) ON DELETE CASCADE;
ALTER TABLE ONLY transform.table_versions
    ADD CONSTRAINT table_versions_table_id_fkey FOREIGN KEY (table_id) REFERENCES transform.warehouse_tables(table_id) ON DELETE CASCADE;
ALTER TABLE ONLY transform.transformation_versions
    ADD CONSTRAINT transformation_versions_transformation_id_fkey FOREIGN KEY (transformation_id) REFERENCES transform.transformations(transformation_id) ON DELETE CASCADE;
ALTER TABLE ONLY transform.transformations
    ADD CONSTRAINT transformations_transformation_id_fkey FOREIGN KEY (transformation_id) REFERENCES transform.warehouse_tables(table_id) ON DELETE CASCADE;
ALTER TABLE ONLY transform.warehouse_tables
    ADD CONSTRAINT warehouse_tables_version_id_fkey FOREIGN KEY (version_id) REFERENCES transform.table_versions(version_id);
ALTER TABLE ingest.announcements ENABLE ROW LEVEL SECURITY;
ALTER TABLE ingest.cancelled_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON ingest.announcements TO ingest_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON ingest.cancelled_runs TO ingest_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON ingest.schema_changes TO ingest_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON ingest.source_uploads TO ingest_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON ingest.sources TO ingest_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON ingest.sync_runs TO ingest_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON ingest.uploads TO ingest_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON ingest.waiting_syncs TO ingest_system USING (true) WITH CHECK (true);
CREATE POLICY organization ON ingest.announcements TO ingest USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON ingest.cancelled_runs TO ingest USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON ingest.schema_changes TO ingest USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON ingest.source_uploads TO ingest USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON ingest.sources TO ingest USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON ingest.sync_runs TO ingest USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON ingest.uploads TO ingest USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON ingest.waiting_syncs TO ingest USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
ALTER TABLE ingest.schema_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE ingest.source_uploads ENABLE ROW LEVEL SECURITY;
ALTER TABLE ingest.sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE ingest.sync_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE ingest.uploads ENABLE ROW LEVEL SECURITY;
ALTER TABLE ingest.waiting_syncs ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON orchestrator.firings TO orchestrator_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON orchestrator.pipelines TO orchestrator_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON orchestrator.run_claims TO orchestrator_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON orchestrator.run_events TO orchestrator_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON orchestrator.run_targets TO orchestrator_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON orchestrator.runs TO orchestrator_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON orchestrator.schedules TO orchestrator_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON orchestrator.triggers TO orchestrator_system USING (true) WITH CHECK (true);
ALTER TABLE orchestrator.firings ENABLE ROW LEVEL SECURITY;
CREATE POLICY organization ON orchestrator.firings TO orchestrator USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON orchestrator.pipelines TO orchestrator USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON orchestrator.run_claims TO orchestrator USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON orchestrator.run_events TO orchestrator USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON orchestrator.run_targets TO orchestrator USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON orchestrator.runs TO orchestrator USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON orchestrator.schedules TO orchestrator USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON orchestrator.triggers TO orchestrator USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
ALTER TABLE orchestrator.pipelines ENABLE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.run_claims ENABLE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.run_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.run_targets ENABLE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.schedules ENABLE ROW LEVEL SECURITY;
ALTER TABLE orchestrator.triggers ENABLE ROW LEVEL SECURITY;
ALTER TABLE transform.cancelled_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON transform.cancelled_runs TO transform_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON transform.publications TO transform_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON transform.table_reads TO transform_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON transform.table_versions TO transform_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON transform.transformation_runs TO transform_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON transform.transformation_versions TO transform_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON transform.transformations TO transform_system USING (true) WITH CHECK (true);
CREATE POLICY everything ON transform.warehouse_tables TO transform_system USING (true) WITH CHECK (true);
CREATE POLICY organization ON transform.cancelled_runs TO transform USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON transform.publications TO transform USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON transform.table_reads TO transform USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON transform.table_versions TO transform USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON transform.transformation_runs TO transform USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON transform.transformation_versions TO transform USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON transform.transformations TO transform USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
CREATE POLICY organization ON transform.warehouse_tables TO transform USING ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid)) WITH CHECK ((org_id = (NULLIF(current_setting('app.org_id'::text, true), ''::text))::uuid));
ALTER TABLE transform.publications ENABLE ROW LEVEL SECURITY;
ALTER TABLE transform.table_reads ENABLE ROW LEVEL SECURITY;
ALTER TABLE transform.table_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE transform.transformation_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE transform.transformation_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE transform.transformations ENABLE ROW LEVEL SECURITY;
ALTER TABLE transform.warehouse_tables ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA auth TO auth;
GRANT USAGE ON SCHEMA auth TO auth_system;
GRANT USAGE ON SCHEMA ingest TO ingest;
GRANT USAGE ON SCHEMA ingest TO ingest_system;
GRANT USAGE ON SCHEMA orchestrator TO orchestrator;
GRANT USAGE ON SCHEMA orchestrator TO orchestrator_system;
GRANT USAGE ON SCHEMA org_019900000000700080000000000000a1 TO org_019900000000700080000000000000a1_reader;
GRANT ALL ON SCHEMA org_019900000000700080000000000000a1_landing TO org_019900000000700080000000000000a1_loader_80000000000000b2;
GRANT USAGE ON SCHEMA transform TO transform;
GRANT USAGE ON SCHEMA transform TO transform_system;
GRANT USAGE ON SCHEMA warehouse TO transform;
REVOKE ALL ON LANGUAGE plpgsql FROM PUBLIC;
GRANT ALL ON LANGUAGE plpgsql TO dalgo_migrator;
REVOKE ALL ON FUNCTION pg_catalog.lo_creat(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.lo_create(oid) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_advisory_lock(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_advisory_lock(integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_advisory_lock_shared(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_advisory_lock_shared(integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_advisory_xact_lock(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_advisory_xact_lock(integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_advisory_xact_lock_shared(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_advisory_xact_lock_shared(integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_export_snapshot() FROM PUBLIC;
GRANT ALL ON FUNCTION pg_catalog.pg_export_snapshot() TO dalgo_migrator;
GRANT ALL ON FUNCTION pg_catalog.pg_ls_tmpdir(OUT name text, OUT size bigint, OUT modification timestamp with time zone) TO dalgo_migrator;
GRANT ALL ON FUNCTION pg_catalog.pg_stat_file(filename text, missing_ok boolean, OUT size bigint, OUT access timestamp with time zone, OUT modification timestamp with time zone, OUT change timestamp with time zone, OUT creation timestamp with time zone, OUT isdir boolean) TO dalgo_migrator;
REVOKE ALL ON FUNCTION pg_catalog.pg_try_advisory_lock(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_try_advisory_lock(integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_try_advisory_lock_shared(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_try_advisory_lock_shared(integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_try_advisory_xact_lock(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_try_advisory_xact_lock(integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_try_advisory_xact_lock_shared(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_catalog.pg_try_advisory_xact_lock_shared(integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION transform.bytes_written(sessions integer[], OUT tables bigint, OUT temporary bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION transform.bytes_written(sessions integer[], OUT tables bigint, OUT temporary bigint) TO transform;
REVOKE ALL ON FUNCTION warehouse.crowded(most_relations integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION warehouse.drop_loader(org uuid, source uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.drop_loader(org uuid, source uuid) TO transform;
REVOKE ALL ON FUNCTION warehouse.end_granting_sessions(loader name) FROM PUBLIC;
REVOKE ALL ON FUNCTION warehouse.end_largest_holder(fewest integer) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.end_largest_holder(fewest integer) TO transform;
REVOKE ALL ON FUNCTION warehouse.end_loader_sessions(org uuid, source uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.end_loader_sessions(org uuid, source uuid) TO transform;
REVOKE ALL ON FUNCTION warehouse.end_sessions(login name) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.end_sessions(login name) TO dalgo_migrator;
REVOKE ALL ON FUNCTION warehouse.excesses(most_locks integer, longest interval) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.excesses(most_locks integer, longest interval) TO dalgo_migrator;
REVOKE ALL ON FUNCTION warehouse.issue_loader(org uuid, source uuid, verifier text, each integer, most integer, of_services integer) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.issue_loader(org uuid, source uuid, verifier text, each integer, most integer, of_services integer) TO transform;
REVOKE ALL ON FUNCTION warehouse.limit_loader(loader name, connections integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION warehouse.limit_loaders_of(org uuid, connections integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION warehouse.loader_role(org uuid, source uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION warehouse.lock_loader(org uuid, source uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION warehouse.lock_organization(org uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION warehouse.open_loaders() FROM PUBLIC;
REVOKE ALL ON FUNCTION warehouse.pause_loaders(org uuid, pause interval) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.pause_loaders(org uuid, pause interval) TO transform;
REVOKE ALL ON FUNCTION warehouse.provision_organization(org uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.provision_organization(org uuid) TO transform;
REVOKE ALL ON FUNCTION warehouse.revoke_loader(org uuid, source uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.revoke_loader(org uuid, source uuid) TO transform;
REVOKE ALL ON FUNCTION warehouse.watch_loaders(most_locks integer, most_relations integer, longest interval, pause interval, each integer) FROM PUBLIC;
GRANT ALL ON FUNCTION warehouse.watch_loaders(most_locks integer, most_relations integer, longest interval, pause interval, each integer) TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.bus_streams TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.bus_streams TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.dead_letters TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.dead_letters TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.hand_backs TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.hand_backs TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.inbox TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.inbox TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.locks TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.locks TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.organization_members TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.organization_members TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.organizations TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.organizations TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.outbox TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.outbox TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.refresh_tokens TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.refresh_tokens TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.schema_migrations TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.schema_migrations TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.sessions TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.sessions TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.signing_keys TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.signing_keys TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.users TO auth;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.users TO auth_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.announcements TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.announcements TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.bus_streams TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.bus_streams TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.cancelled_runs TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.cancelled_runs TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.dead_letters TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.dead_letters TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.google_quotas TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.google_quotas TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.hand_backs TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.hand_backs TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.inbox TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.inbox TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.locks TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.locks TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.outbox TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.outbox TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.schema_changes TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.schema_changes TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.schema_migrations TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.schema_migrations TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.source_uploads TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.source_uploads TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.sources TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.sources TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.sync_runs TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.sync_runs TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.uploads TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.uploads TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.waiting_syncs TO ingest;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE ingest.waiting_syncs TO ingest_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.admission TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.admission TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.bus_streams TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.bus_streams TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.dead_letters TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.dead_letters TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.firings TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.firings TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.hand_backs TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.hand_backs TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.inbox TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.inbox TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.locks TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.locks TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.outbox TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.outbox TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.pipelines TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.pipelines TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.run_claims TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.run_claims TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.run_events TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.run_events TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.run_targets TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.run_targets TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.runs TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.runs TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.schedules TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.schedules TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.schema_migrations TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.schema_migrations TO orchestrator_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.triggers TO orchestrator;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE orchestrator.triggers TO orchestrator_system;
GRANT SELECT ON TABLE org_019900000000700080000000000000a1.source_a TO org_019900000000700080000000000000a1_reader;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.bus_streams TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.bus_streams TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.cancelled_runs TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.cancelled_runs TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.dead_letters TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.dead_letters TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.hand_backs TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.hand_backs TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.inbox TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.inbox TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.locks TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.locks TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.outbox TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.outbox TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.publications TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.publications TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.schema_migrations TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.schema_migrations TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.table_reads TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.table_reads TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.table_versions TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.table_versions TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.transformation_runs TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.transformation_runs TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.transformation_versions TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.transformation_versions TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.transformations TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.transformations TO transform_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.warehouse_tables TO transform;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE transform.warehouse_tables TO transform_system;
ALTER DEFAULT PRIVILEGES FOR ROLE dalgo_migrator IN SCHEMA auth GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO auth;
ALTER DEFAULT PRIVILEGES FOR ROLE dalgo_migrator IN SCHEMA auth GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO auth_system;
ALTER DEFAULT PRIVILEGES FOR ROLE dalgo_migrator IN SCHEMA ingest GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO ingest;
ALTER DEFAULT PRIVILEGES FOR ROLE dalgo_migrator IN SCHEMA ingest GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO ingest_system;
ALTER DEFAULT PRIVILEGES FOR ROLE dalgo_migrator IN SCHEMA orchestrator GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO orchestrator;
ALTER DEFAULT PRIVILEGES FOR ROLE dalgo_migrator IN SCHEMA orchestrator GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO orchestrator_system;
ALTER DEFAULT PRIVILEGES FOR ROLE org_019900000000700080000000000000a1 IN SCHEMA org_019900000000700080000000000000a1 GRANT SELECT ON TABLES TO org_019900000000700080000000000000a1_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE dalgo_migrator IN SCHEMA transform GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO transform;
ALTER DEFAULT PRIVILEGES FOR ROLE dalgo_migrator IN SCHEMA transform GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO transform_system;
