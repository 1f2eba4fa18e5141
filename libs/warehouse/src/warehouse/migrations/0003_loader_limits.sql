-- How many logins for other systems an organisation has, and how many connections they hold.
--
-- A limit for each login alone is none: logins are made by people. What all of them may hold together
-- stays below what the server has, less what the services need, so that a limit is also a promise.

-- Locked while the logins of all organisations are counted.
CREATE TABLE loader_count (is_one boolean PRIMARY KEY DEFAULT true CHECK (is_one));
INSERT INTO loader_count DEFAULT VALUES;

CREATE FUNCTION open_loaders() RETURNS TABLE (login name, connections integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT rolname, rolconnlimit FROM pg_roles
    WHERE rolcanlogin AND rolname ~ '^org_[0-9a-f]{32}_loader_[0-9a-f]{16}$'
$$;

-- Temporary files go to the disk that all share; only where the server lets us say so.
CREATE FUNCTION limit_loader(loader name, connections integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', loader, connections);
    IF has_parameter_privilege('temp_file_limit', 'SET') THEN
        EXECUTE format('ALTER ROLE %I SET temp_file_limit = %L', loader, '2GB');
    END IF;
END $$;

SELECT warehouse.limit_loader(rolname, least(rolconnlimit, 2)) FROM pg_roles
WHERE rolname ~ '^org_[0-9a-f]{32}_loader_[0-9a-f]{16}$';

DROP FUNCTION issue_loader(uuid, uuid, text);

-- Makes the login, or gives it another password; the organisation has been provisioned.
--   each         connections of one login
--   most         logins of the organisation that can log in
--   of_services  connections of the server that no login may count on
CREATE FUNCTION issue_loader(
    org uuid, source uuid, verifier text, each integer, most integer, of_services integer
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner   text := 'org_' || replace(org::text, '-', '');
    landing text := owner || '_landing';
    loader  text := warehouse.loader_role(org, source);
    is_new  boolean;
    room    bigint := current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - greatest(of_services, coalesce(current_setting('reserved_connections', true)::int, 0));
BEGIN
    -- Anything else would be taken for a password in clear.
    IF verifier !~ '^SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' THEN
        RAISE EXCEPTION 'not a SCRAM verifier' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    is_new := NOT warehouse.lock_loader(org, source);
    IF NOT EXISTS (SELECT FROM warehouse.open_loaders() WHERE login = loader) THEN
        IF (SELECT count(*) FROM warehouse.open_loaders()
            WHERE starts_with(login::text, owner || '_loader_')) >= most THEN
            RAISE EXCEPTION 'organisation % has % loaders', org, most
                USING ERRCODE = 'program_limit_exceeded';
        END IF;
        PERFORM FROM warehouse.loader_count FOR UPDATE;
        IF (SELECT coalesce(sum(connections), 0) FROM warehouse.open_loaders()) + each > room THEN
            RAISE EXCEPTION 'all % connections for loaders are promised', room
                USING ERRCODE = 'configuration_limit_exceeded';
        END IF;
    END IF;
    IF is_new THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', loader);
    END IF;

    EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE', owner);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', landing, owner);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', landing, loader);
    EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE', owner);

    EXECUTE format('GRANT warehouse_loaders TO %I WITH INHERIT TRUE, SET FALSE', loader);
    -- The organisation may do with the login's tables what the login may, whatever it grants or
    -- revokes there; default privileges are the login's own to change.
    EXECUTE format('GRANT %I TO %I WITH INHERIT TRUE, SET FALSE', loader, owner);
    EXECUTE format('ALTER ROLE %I SET search_path = %I', loader, landing);
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', loader, '1h');
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', loader, '10min');
    PERFORM warehouse.limit_loader(loader, each);
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', loader, verifier);
END $$;

REVOKE ALL ON FUNCTION
    open_loaders(), limit_loader(name, integer),
    issue_loader(uuid, uuid, text, integer, integer, integer)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION issue_loader(uuid, uuid, text, integer, integer, integer) TO transform;
