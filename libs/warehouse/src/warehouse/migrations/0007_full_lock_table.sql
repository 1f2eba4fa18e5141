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
END $$;

GRANT USAGE, CREATE ON SCHEMA warehouse TO warehouse_watch;
REVOKE ALL ON FUNCTION end_largest_holder(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION end_largest_holder(integer) TO transform;
ALTER FUNCTION end_largest_holder(integer) OWNER TO warehouse_watch;
REVOKE USAGE, CREATE ON SCHEMA warehouse FROM warehouse_watch;

-- Shuts all loaders of an organisation for a while, as watch_loaders does.
CREATE FUNCTION pause_loaders(org uuid, pause interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s' AS $$
BEGIN
    INSERT INTO warehouse.loader_pauses VALUES (org, clock_timestamp() + pause)
    ON CONFLICT (org_id) DO UPDATE SET until = excluded.until;
    PERFORM warehouse.limit_loaders_of(org, 0);
END $$;
REVOKE ALL ON FUNCTION pause_loaders(uuid, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pause_loaders(uuid, interval) TO transform;
