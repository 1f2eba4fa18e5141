-- Work on the roles and schemas of one organisation waits for a row that no outsider can lock; an
-- advisory key could be held by any login of the database.

CREATE TABLE locks (org_id uuid PRIMARY KEY);

CREATE FUNCTION lock_organization(org uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOOP
        PERFORM FROM warehouse.locks WHERE org_id = org FOR UPDATE;
        EXIT WHEN FOUND;
        -- Only the first time; another transaction that inserts the same row is waited for.
        INSERT INTO warehouse.locks (org_id) VALUES (org) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION lock_organization(uuid) FROM PUBLIC;

-- Every function that took the key, as it stands by now, with that one statement replaced.
DO $$
DECLARE
    former text := $statement$pg_advisory_xact_lock(hashtextextended('warehouse.organization.' || org, 0))$statement$;
    own oid;
BEGIN
    FOR own IN SELECT oid FROM pg_proc
        WHERE pronamespace = 'warehouse'::regnamespace AND position(former IN prosrc) > 0
    LOOP
        EXECUTE replace(pg_get_functiondef(own), former, 'warehouse.lock_organization(org)');
    END LOOP;
    IF EXISTS (SELECT FROM pg_proc
        WHERE pronamespace = 'warehouse'::regnamespace AND prosrc LIKE '%advisory%')
    THEN
        RAISE EXCEPTION 'a function of the warehouse still takes an advisory lock';
    END IF;
END $$;
