-- An organisation in the warehouse: two roles and two schemas, made by one function.
--
-- The function runs with the rights of the migrator (CREATEROLE, owner of the database), so that no
-- service needs them. Its body names nothing but what is derived from a UUID.

CREATE TABLE erased_organizations (
    org_id    uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE erased_organizations IS
    'Tombstones: a late message must not bring an erased organisation back.';

CREATE FUNCTION provision_organization(org uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner  text := 'org_' || replace(org::text, '-', '');
    reader text := owner || '_reader';
    data   text := owner || '_data';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('warehouse.organization.' || org, 0));
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

REVOKE ALL ON FUNCTION provision_organization(uuid) FROM PUBLIC;
GRANT USAGE ON SCHEMA warehouse TO transform;
GRANT EXECUTE ON FUNCTION provision_organization(uuid) TO transform;
