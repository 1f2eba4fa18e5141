-- A login of another organisation can name any login in a grant or a policy: the catalogue shows their
-- names to all. That must not keep a source from being deleted.

-- Ends the sessions of logins that own something in which a login is named.
CREATE FUNCTION end_granting_sessions(loader name) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
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

-- As before, and: sessions of others that lock what names the login are ended. Where another login still
-- grants it something, or is about to, the role stays, with nothing of its own and no way in.
CREATE OR REPLACE FUNCTION drop_loader(org uuid, source uuid) RETURNS void
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

REVOKE ALL ON FUNCTION end_granting_sessions(name) FROM PUBLIC;
