-- Logins of other systems, each for one source of an organisation, and the schema that they fill.
--
-- As in 0001 the functions run with the rights of the migrator, and their bodies name nothing but
-- what is derived from UUIDs. A password arrives as a SCRAM verifier: in clear it stands in no
-- statement, and so in no log.

DO $$ BEGIN
    -- One role that may connect: a grant on the database for each login would crowd its row.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${prefix}_warehouse_loaders') THEN
        CREATE ROLE ${prefix}_warehouse_loaders NOLOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ${prefix}_warehouse_loaders', current_database());
    -- Sees and ends sessions of loaders, and can do nothing else: the migrator has no login's rights.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${prefix}_warehouse_watch') THEN
        CREATE ROLE ${prefix}_warehouse_watch NOLOGIN;
    END IF;
    PERFORM ${prefix}_chassis.grant_role(
        '${prefix}_warehouse_watch', current_user, inherits => false, sets => true
    );
    GRANT USAGE, CREATE ON SCHEMA ${prefix}_warehouse TO ${prefix}_warehouse_watch;
END $$;

-- Locked while the logins of all organisations are counted.
CREATE TABLE IF NOT EXISTS loader_count (
    is_one boolean PRIMARY KEY DEFAULT true CHECK (is_one)
);
INSERT INTO loader_count DEFAULT VALUES ON CONFLICT DO NOTHING;

-- Organisations none of whose loaders may log in for a while; another login would be a way around it.
CREATE TABLE IF NOT EXISTS loader_pauses (
    org_id uuid PRIMARY KEY,
    until  timestamptz NOT NULL
);

-- Names of logins: those of all organisations match one pattern, those of one begin alike.

CREATE FUNCTION is_loader(login name) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT login ~ '^${prefix}_loader_[0-9a-f]{32}_[0-9a-f]{12}$'
$$;

CREATE FUNCTION loader_org(login name) RETURNS uuid
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT split_part(login::text, '_', 3)::uuid
$$;

CREATE FUNCTION loader_role(org uuid, source uuid) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT '${prefix}_loader_' || replace(org::text, '-', '') || '_'
        || right(replace(source::text, '-', ''), 12)
$$;

CREATE FUNCTION open_loaders() RETURNS TABLE (login name, connections integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT rolname, rolconnlimit FROM pg_roles
    WHERE rolcanlogin AND ${prefix}_warehouse.is_loader(rolname)
$$;

-- Whether there is a login, once nobody else works on the organisation's.
CREATE FUNCTION lock_loader(org uuid, source uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM ${prefix}_warehouse.lock_organization(org);
    RETURN EXISTS (
        SELECT FROM pg_roles WHERE rolname = ${prefix}_warehouse.loader_role(org, source)
    );
END $$;

-- What a login of another system can take from all others without any right: places in the server's
-- table of locks, and with a long transaction the work of vacuum. Its own settings are its to change,
-- so that sessions over the limits are ended from outside.

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
        WHERE usename ~ '^${prefix}_loader_[0-9a-f]{32}_[0-9a-f]{12}$'
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

-- Where PostgreSQL's table of locks is full, no statement begins that needs one more lock, and so
-- watch_loaders neither. This function needs none, in a session that has locked the catalogs before
-- (warehouse/full_lock_table.py): it reads functions of PostgreSQL, no tables and views.

-- Ends all sessions of the organisation whose loaders hold most of the table, if that is more than
-- `fewest` locks; which one that was.
CREATE FUNCTION end_largest_holder(fewest integer) RETURNS TABLE (org_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- What the transaction has seen of sessions before.
    PERFORM pg_stat_clear_snapshot();
    RETURN QUERY
        WITH sessions AS MATERIALIZED (
            SELECT pid, split_part(pg_get_userbyid(usesysid)::text, '_', 3) AS org
            FROM pg_stat_get_activity(NULL)
            WHERE pg_get_userbyid(usesysid) ~ '^${prefix}_loader_[0-9a-f]{32}_[0-9a-f]{12}$'
        ), largest AS MATERIALIZED (
            -- Locks of the fast path take no place in the table.
            SELECT org FROM pg_lock_status() AS held JOIN sessions USING (pid)
            WHERE NOT held.fastpath GROUP BY org HAVING count(*) > fewest
            ORDER BY count(*) DESC LIMIT 1
        )
        SELECT org::uuid FROM largest JOIN sessions USING (org) GROUP BY org
        HAVING bool_or(pg_terminate_backend(pid));
END $$;

REVOKE ALL ON FUNCTION
    end_sessions(name), excesses(integer, interval), end_largest_holder(integer)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION end_largest_holder(integer) TO ${prefix}_transform;
ALTER FUNCTION end_sessions(name) OWNER TO ${prefix}_warehouse_watch;
ALTER FUNCTION excesses(integer, interval) OWNER TO ${prefix}_warehouse_watch;
ALTER FUNCTION end_largest_holder(integer) OWNER TO ${prefix}_warehouse_watch;
DO $$
DECLARE
    migrator name := current_user;
BEGIN
    SET LOCAL ROLE ${prefix}_warehouse_watch;
    EXECUTE format(
        'GRANT EXECUTE ON FUNCTION ${prefix}_warehouse.end_sessions(name),'
        ' ${prefix}_warehouse.excesses(integer, interval) TO %I', migrator
    );
    RESET ROLE;
END $$;
REVOKE USAGE, CREATE ON SCHEMA ${prefix}_warehouse FROM ${prefix}_warehouse_watch;

-- Logins that were made before sessions were watched.
SELECT ${prefix}_chassis.grant_role(
    rolname, '${prefix}_warehouse_watch', inherits => true, sets => false
) FROM pg_roles WHERE ${prefix}_warehouse.is_loader(rolname);

-- Temporary files go to the disk that all share; only where the server lets us say so.
CREATE FUNCTION limit_loader(loader name, connections integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', loader, connections);
    IF has_parameter_privilege('temp_file_limit', 'SET') THEN
        EXECUTE format('ALTER ROLE %I SET temp_file_limit = %L', loader, '2GB');
    END IF;
END $$;

SELECT ${prefix}_warehouse.limit_loader(rolname, least(rolconnlimit, 2)) FROM pg_roles
WHERE ${prefix}_warehouse.is_loader(rolname);

CREATE FUNCTION limit_loaders_of(org uuid, connections integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    loader name;
BEGIN
    FOR loader IN SELECT login FROM ${prefix}_warehouse.open_loaders()
        WHERE ${prefix}_warehouse.loader_org(login) = org
    LOOP
        -- One of its sessions may hold the login's own row, by an ALTER ROLE that is not committed.
        PERFORM ${prefix}_warehouse.end_sessions(loader);
        EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', loader, connections);
        PERFORM ${prefix}_warehouse.end_sessions(loader);
    END LOOP;
END $$;

-- Organisations whose loaders have made more relations than they may: one statement locks them all,
-- and where the table of locks is full, nothing is left to end it with.
CREATE FUNCTION crowded(most_relations integer) RETURNS TABLE (org_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ${prefix}_warehouse.loader_org(rolname)
    FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
    WHERE rolname ~ '^${prefix}_loader_[0-9a-f]{32}_[0-9a-f]{12}$'
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
    PERFORM ${prefix}_warehouse.end_sessions(open.login)
    FROM ${prefix}_warehouse.open_loaders() AS open
    JOIN ${prefix}_warehouse.loader_pauses AS paused
        ON ${prefix}_warehouse.loader_org(open.login) = paused.org_id;
    FOR found IN
        SELECT over.login, ${prefix}_warehouse.loader_org(over.login) AS org_id, over.reason
        FROM ${prefix}_warehouse.excesses(most_locks, longest) AS over
        UNION ALL
        SELECT NULL, org_id, 'relations' FROM ${prefix}_warehouse.crowded(most_relations)
        WHERE org_id NOT IN (SELECT org_id FROM ${prefix}_warehouse.loader_pauses)
          -- All relations are counted only while there is a session that may make more.
          AND EXISTS (
            SELECT FROM pg_stat_activity WHERE ${prefix}_warehouse.is_loader(usename)
        )
    LOOP
        BEGIN
            PERFORM ${prefix}_warehouse.end_sessions(found.login);
            IF found.reason <> 'transaction' THEN
                INSERT INTO ${prefix}_warehouse.loader_pauses
                VALUES (found.org_id, clock_timestamp() + pause)
                ON CONFLICT (org_id) DO UPDATE SET until = excluded.until;
                PERFORM ${prefix}_warehouse.limit_loaders_of(found.org_id, 0);
            END IF;
        EXCEPTION WHEN lock_not_available OR internal_error THEN
            CONTINUE;  -- Another session was quicker; it is found again.
        END;
        RETURN QUERY SELECT found.login, found.org_id, found.reason;
    END LOOP;
    FOR found IN
        DELETE FROM ${prefix}_warehouse.loader_pauses
        WHERE until <= clock_timestamp()
          AND org_id NOT IN (SELECT org_id FROM ${prefix}_warehouse.crowded(most_relations))
        RETURNING org_id
    LOOP
        PERFORM ${prefix}_warehouse.limit_loaders_of(found.org_id, each);
        RETURN QUERY SELECT NULL::name, found.org_id, 'resumed';
    END LOOP;
END $$;

-- Shuts all loaders of an organisation for a while, as watch_loaders does.
CREATE FUNCTION pause_loaders(org uuid, pause interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s' AS $$
BEGIN
    INSERT INTO ${prefix}_warehouse.loader_pauses VALUES (org, clock_timestamp() + pause)
    ON CONFLICT (org_id) DO UPDATE SET until = excluded.until;
    PERFORM ${prefix}_warehouse.limit_loaders_of(org, 0);
END $$;

-- Makes the login, or gives it another password; the organisation has been provisioned. No session of
-- the login can make the statement wait; refused while the organisation is paused.
--   each         connections of one login
--   most         logins of the organisation that can log in
--   of_services  connections of the server that no login may count on
-- A limit for each login alone is none: logins are made by people. What all of them may hold together
-- stays below what the server has, less what the services need, so that a limit is also a promise.
CREATE FUNCTION issue_loader(
    org uuid, source uuid, verifier text, each integer, most integer, of_services integer
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner   text := ${prefix}_warehouse.org_role(org);
    landing text := 'org_' || replace(org::text, '-', '') || '_landing';
    loader  text := ${prefix}_warehouse.loader_role(org, source);
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
    is_new := NOT ${prefix}_warehouse.lock_loader(org, source);
    SELECT until INTO paused FROM ${prefix}_warehouse.loader_pauses WHERE org_id = org;
    IF paused IS NOT NULL THEN
        -- A pause that is over lasts on while there are too many relations.
        RAISE EXCEPTION '%', greatest(60, ceil(extract(epoch FROM paused - clock_timestamp())))::integer
            USING ERRCODE = 'object_in_use';
    END IF;
    IF NOT EXISTS (SELECT FROM ${prefix}_warehouse.open_loaders() WHERE login = loader) THEN
        IF (SELECT count(*) FROM ${prefix}_warehouse.open_loaders()
            WHERE ${prefix}_warehouse.loader_org(login) = org) >= most THEN
            RAISE EXCEPTION 'organisation % has % loaders', org, most
                USING ERRCODE = 'program_limit_exceeded';
        END IF;
        PERFORM FROM ${prefix}_warehouse.loader_count FOR UPDATE;
        -- A login that is paused has none now, and will have them again.
        IF ((SELECT count(*) FROM ${prefix}_warehouse.open_loaders()) + 1) * each > room THEN
            RAISE EXCEPTION 'all % connections for loaders are promised', room
                USING ERRCODE = 'configuration_limit_exceeded';
        END IF;
    END IF;
    PERFORM set_config('lock_timeout', '3s', true);
    IF is_new THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', loader);
    ELSE
        PERFORM ${prefix}_warehouse.end_sessions(loader);
        EXECUTE format('ALTER ROLE %I NOLOGIN', loader);
    END IF;

    PERFORM ${prefix}_chassis.grant_role(owner, current_user, inherits => true, sets => true);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', landing, owner);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', landing, loader);
    PERFORM ${prefix}_chassis.grant_role(owner, current_user, inherits => false, sets => true);

    PERFORM ${prefix}_chassis.grant_role(
        '${prefix}_warehouse_loaders', loader, inherits => true, sets => false
    );
    PERFORM ${prefix}_chassis.grant_role(
        loader, '${prefix}_warehouse_watch', inherits => true, sets => false
    );
    -- The organisation may do with the login's tables what the login may, whatever it grants or
    -- revokes there; default privileges are the login's own to change.
    PERFORM ${prefix}_chassis.grant_role(loader, owner, inherits => true, sets => false);
    EXECUTE format('ALTER ROLE %I SET search_path = %I', loader, landing);
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', loader, '1h');
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', loader, '10min');
    PERFORM ${prefix}_warehouse.limit_loader(loader, each);
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', loader, verifier);
END $$;

-- Takes the password away; what the login has made stays.
CREATE FUNCTION revoke_loader(org uuid, source uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    loader text := ${prefix}_warehouse.loader_role(org, source);
BEGIN
    IF ${prefix}_warehouse.lock_loader(org, source) THEN
        PERFORM set_config('lock_timeout', '3s', true);
        PERFORM ${prefix}_warehouse.end_sessions(loader);
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', loader);
    END IF;
END $$;

-- To be called after the password was changed or taken away and committed: until then it opens
-- new sessions.
CREATE FUNCTION end_loader_sessions(org uuid, source uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF ${prefix}_warehouse.lock_loader(org, source) THEN
        PERFORM ${prefix}_warehouse.end_sessions(${prefix}_warehouse.loader_role(org, source));
    END IF;
END $$;

-- A login of another organisation can name any login in a grant or a policy: the catalogue shows their
-- names to all. That must not keep a source from being deleted.

-- Ends the sessions of logins that own something in which a login is named.
CREATE FUNCTION end_granting_sessions(loader name) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT ${prefix}_warehouse.end_sessions(login) FROM ${prefix}_warehouse.open_loaders()
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

-- Removes the login with all that it has made, and nothing that another has. Who reads its table is
-- waited for a moment: meanwhile nobody else can do anything for the organisation here. Sessions of
-- others that lock what names the login are ended. Where another login still grants it something, or
-- is about to, the role stays, with nothing of its own and no way in.
CREATE FUNCTION drop_loader(org uuid, source uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
    owner   text := ${prefix}_warehouse.org_role(org);
    landing text := 'org_' || replace(org::text, '-', '') || '_landing';
    loader  text := ${prefix}_warehouse.loader_role(org, source);
BEGIN
    IF ${prefix}_warehouse.lock_loader(org, source) THEN
        PERFORM ${prefix}_chassis.grant_role(owner, current_user, inherits => true, sets => true);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %I', landing, loader);
        PERFORM ${prefix}_chassis.grant_role(owner, current_user, inherits => false, sets => true);
        PERFORM ${prefix}_chassis.grant_role(loader, current_user, inherits => true, sets => true);
        BEGIN
            EXECUTE format('DROP OWNED BY %I CASCADE', loader);
        EXCEPTION WHEN lock_not_available THEN
            PERFORM ${prefix}_warehouse.end_granting_sessions(loader::name);
            EXECUTE format('DROP OWNED BY %I CASCADE', loader);
        END;
        BEGIN
            EXECUTE format('DROP ROLE %I', loader);
        EXCEPTION WHEN dependent_objects_still_exist OR lock_not_available THEN
            PERFORM ${prefix}_chassis.grant_role(loader, current_user, inherits => false, sets => true);
        END;
    END IF;
END $$;

REVOKE ALL ON FUNCTION
    is_loader(name), loader_org(name), loader_role(uuid, uuid), open_loaders(),
    lock_loader(uuid, uuid), limit_loader(name, integer), limit_loaders_of(uuid, integer),
    crowded(integer), watch_loaders(integer, integer, interval, interval, integer),
    pause_loaders(uuid, interval), issue_loader(uuid, uuid, text, integer, integer, integer),
    revoke_loader(uuid, uuid), end_loader_sessions(uuid, uuid), end_granting_sessions(name),
    drop_loader(uuid, uuid)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    watch_loaders(integer, integer, interval, interval, integer), pause_loaders(uuid, interval),
    issue_loader(uuid, uuid, text, integer, integer, integer), revoke_loader(uuid, uuid),
    end_loader_sessions(uuid, uuid), drop_loader(uuid, uuid)
TO ${prefix}_transform;
