-- Whether a run may start at once: nothing of its organisation runs or waits to. Who asks is alone until
-- his transaction ends; being volatile, the function sees what all before him have committed.
CREATE FUNCTION is_alone(organization uuid, run uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('room of ' || organization::text, 0));
    RETURN EXISTS (SELECT FROM admission WHERE drained_since IS NULL) AND NOT EXISTS (
        SELECT FROM runs other
        WHERE other.org_id = organization AND other.id <> run
          AND other.status IN ('queued', 'syncing', 'transforming', 'publishing')
    );
END $$;
