-- What a login of another system can take from all others without any right: places in the server's
-- table of locks, and with a long transaction the work of vacuum. Its own settings are its to change,
-- so that sessions over the limits are ended from outside.

DO $$ BEGIN
    -- Sees and ends sessions of loaders, and can do nothing else: the migrator has no login's rights.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'warehouse_watch') THEN
        CREATE ROLE warehouse_watch NOLOGIN;
    END IF;
    GRANT warehouse_watch TO CURRENT_USER WITH INHERIT FALSE, SET TRUE;
    GRANT USAGE, CREATE ON SCHEMA warehouse TO warehouse_watch;
END $$;

CREATE FUNCTION end_sessions(login name) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000))
    FROM pg_stat_activity WHERE usename = login
$$;

-- Sessions of loaders that hold more than they may, in whichever database. pg_locks halts all who lock
-- for a moment: it is not read where there is no such session.
CREATE FUNCTION excesses(most_locks integer, longest interval) RETURNS TABLE (login name, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
END $$;

REVOKE ALL ON FUNCTION end_sessions(name), excesses(integer, interval) FROM PUBLIC;
ALTER FUNCTION end_sessions(name) OWNER TO warehouse_watch;
ALTER FUNCTION excesses(integer, interval) OWNER TO warehouse_watch;
DO $$
DECLARE
    migrator name := current_user;
BEGIN
    SET LOCAL ROLE warehouse_watch;
    EXECUTE format(
        'GRANT EXECUTE ON FUNCTION warehouse.end_sessions(name),'
        ' warehouse.excesses(integer, interval) TO %I', migrator
    );
    RESET ROLE;
END $$;
REVOKE USAGE, CREATE ON SCHEMA warehouse FROM warehouse_watch;

DO $$ DECLARE loader name; BEGIN
    FOR loader IN SELECT rolname FROM pg_roles
        WHERE rolname ~ '^org_[0-9a-f]{32}_loader_[0-9a-f]{16}$'
    LOOP
        EXECUTE format('GRANT %I TO warehouse_watch WITH INHERIT TRUE, SET FALSE', loader);
    END LOOP;
END $$;

-- Organisations none of whose loaders may log in for a while; another login would be a way around it.
CREATE TABLE loader_pauses (
    org_id uuid PRIMARY KEY,
    until  timestamptz NOT NULL
);

CREATE FUNCTION limit_loaders_of(org uuid, connections integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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

-- Organisations whose loaders have made more relations than they may: one statement locks them all,
-- and where the table of locks is full, nothing is left to end it with.
CREATE FUNCTION crowded(most_relations integer) RETURNS TABLE (org_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT substr(rolname::text, 5, 32)::uuid FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
    WHERE rolname ~ '^org_[0-9a-f]{32}_loader_[0-9a-f]{16}$'
    GROUP BY 1 HAVING count(*) > most_relations
$$;

-- Ends sessions over the limits, and pauses for a while the organisations whose sessions filled the
-- table of locks, since what fills it is done in a second; ends pauses that are over.
--   each  connections of a login after a pause
CREATE FUNCTION watch_loaders(
    most_locks integer, most_relations integer, longest interval, pause interval, each integer
)
RETURNS TABLE (login name, org_id uuid, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s' AS $$
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
END $$;

-- As before, and: no session of the login can make the statement wait; refused while the organisation
-- is paused.
CREATE OR REPLACE FUNCTION issue_loader(
    org uuid, source uuid, verifier text, each integer, most integer, of_services integer
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
END $$;

-- As before, and no session of the login can make the statement wait.
CREATE OR REPLACE FUNCTION revoke_loader(org uuid, source uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    loader text := warehouse.loader_role(org, source);
BEGIN
    IF warehouse.lock_loader(org, source) THEN
        PERFORM set_config('lock_timeout', '3s', true);
        PERFORM warehouse.end_sessions(loader);
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', loader);
    END IF;
END $$;

-- To be called after the password was changed or taken away and committed: until then it opens
-- new sessions.
CREATE OR REPLACE FUNCTION end_loader_sessions(org uuid, source uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF warehouse.lock_loader(org, source) THEN
        PERFORM warehouse.end_sessions(warehouse.loader_role(org, source));
    END IF;
END $$;

REVOKE ALL ON FUNCTION
    limit_loaders_of(uuid, integer), crowded(integer),
    watch_loaders(integer, integer, interval, interval, integer)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION watch_loaders(integer, integer, interval, interval, integer) TO transform;
