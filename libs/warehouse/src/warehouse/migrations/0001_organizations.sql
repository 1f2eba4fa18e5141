-- An organisation in the warehouse: two roles and two schemas, made by one function.
--
-- The function runs with the rights of the migrator (CREATEROLE, owner of the database), so that no
-- service needs them. Its body names nothing but what is derived from a UUID.

CREATE TABLE IF NOT EXISTS erased_organizations (
    org_id    uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE erased_organizations IS
    'Tombstones: a late message must not bring an erased organisation back.';

-- Work on the roles and schemas of one organisation waits for a row that no outsider can lock; an
-- advisory key could be held by any login of the database.
CREATE TABLE IF NOT EXISTS locks (org_id uuid PRIMARY KEY);

CREATE FUNCTION lock_organization(org uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOOP
        PERFORM FROM ${prefix}_warehouse.locks WHERE org_id = org FOR UPDATE;
        EXIT WHEN FOUND;
        -- Only the first time; another transaction that inserts the same row is waited for.
        INSERT INTO ${prefix}_warehouse.locks (org_id) VALUES (org) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
END $$;

CREATE FUNCTION org_role(org uuid) RETURNS name
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ('${prefix}_org_' || replace(org::text, '-', ''))::name
$$;

CREATE FUNCTION provision_organization(org uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner  text := ${prefix}_warehouse.org_role(org);
    reader text := owner || '_reader';
    live   text := 'org_' || replace(org::text, '-', '');
    data   text := live || '_data';
BEGIN
    PERFORM ${prefix}_warehouse.lock_organization(org);
    IF EXISTS (SELECT FROM ${prefix}_warehouse.erased_organizations WHERE org_id = org) THEN
        RAISE EXCEPTION 'organisation % was erased', org
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;

    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = owner) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', owner);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = reader) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', reader);
    END IF;
    IF EXISTS (SELECT FROM pg_namespace WHERE nspname = live)
       AND EXISTS (SELECT FROM pg_namespace WHERE nspname = data) THEN
        RETURN;
    END IF;

    -- Creating a role gives ADMIN on it and no more (PostgreSQL 16 and later); making a schema its
    -- own takes SET, and default privileges in its name take INHERIT, which is given back below.
    PERFORM ${prefix}_chassis.grant_role(owner, current_user, inherits => true, sets => true);
    PERFORM ${prefix}_chassis.grant_role(owner, service, inherits => false, sets => true)
    FROM unnest(ARRAY['${prefix}_ingest', '${prefix}_transform']) AS service;
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', live, owner);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', data, owner);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', live, reader);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I',
                   owner, live, reader);
    PERFORM ${prefix}_chassis.grant_role(owner, current_user, inherits => false, sets => true);
END $$;

REVOKE ALL ON FUNCTION lock_organization(uuid), org_role(uuid), provision_organization(uuid)
FROM PUBLIC;
GRANT USAGE ON SCHEMA ${prefix}_warehouse TO ${prefix}_transform;
GRANT EXECUTE ON FUNCTION provision_organization(uuid) TO ${prefix}_transform;
