-- Logins of other systems, each for one source of an organisation, and the schema that they fill.
--
-- As in 0001 the functions run with the rights of the migrator, and their bodies name nothing but
-- what is derived from UUIDs. A password arrives as a SCRAM verifier: in clear it stands in no
-- statement, and so in no log.

DO $$ BEGIN
    -- One role that may connect: a grant on the database for each login would crowd its row.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'warehouse_loaders') THEN
        CREATE ROLE warehouse_loaders NOLOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO warehouse_loaders', current_database());
END $$;

CREATE FUNCTION loader_role(org uuid, source uuid) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'org_' || replace(org::text, '-', '') || '_loader_'
        || right(replace(source::text, '-', ''), 16)
$$;

-- Whether there is a login, once nobody else works on the organisation's.
CREATE FUNCTION lock_loader(org uuid, source uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('warehouse.organization.' || org, 0));
    RETURN EXISTS (SELECT FROM pg_roles WHERE rolname = warehouse.loader_role(org, source));
END $$;

-- Makes the login, or gives it another password; the organisation has been provisioned.
CREATE FUNCTION issue_loader(org uuid, source uuid, verifier text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner   text := 'org_' || replace(org::text, '-', '');
    landing text := owner || '_landing';
    loader  text := warehouse.loader_role(org, source);
BEGIN
    -- Anything else would be taken for a password in clear.
    IF verifier !~ '^SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' THEN
        RAISE EXCEPTION 'not a SCRAM verifier' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT warehouse.lock_loader(org, source) THEN
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
    EXECUTE format('ALTER ROLE %I LOGIN CONNECTION LIMIT 5 PASSWORD %L', loader, verifier);
END $$;

-- Takes the password away; what the login has made stays.
CREATE FUNCTION revoke_loader(org uuid, source uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF warehouse.lock_loader(org, source) THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', warehouse.loader_role(org, source));
    END IF;
END $$;

-- To be called after the password was changed or taken away and committed: until then it opens
-- new sessions.
CREATE FUNCTION end_loader_sessions(org uuid, source uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    loader text := warehouse.loader_role(org, source);
BEGIN
    IF warehouse.lock_loader(org, source) THEN
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE', loader);
        PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = loader;
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE', loader);
    END IF;
END $$;

-- Removes the login with all that it has made, and nothing that another has. Who reads its table is
-- waited for a moment: meanwhile nobody else can do anything for the organisation here.
CREATE FUNCTION drop_loader(org uuid, source uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
    owner  text := 'org_' || replace(org::text, '-', '');
    loader text := warehouse.loader_role(org, source);
BEGIN
    IF warehouse.lock_loader(org, source) THEN
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE', owner);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %I', owner || '_landing', loader);
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE', owner);
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE', loader);
        EXECUTE format('DROP OWNED BY %I CASCADE', loader);
        EXECUTE format('DROP ROLE %I', loader);
    END IF;
END $$;

REVOKE ALL ON FUNCTION
    loader_role(uuid, uuid), lock_loader(uuid, uuid), issue_loader(uuid, uuid, text),
    revoke_loader(uuid, uuid), end_loader_sessions(uuid, uuid), drop_loader(uuid, uuid)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    issue_loader(uuid, uuid, text), revoke_loader(uuid, uuid), end_loader_sessions(uuid, uuid),
    drop_loader(uuid, uuid)
TO transform;
