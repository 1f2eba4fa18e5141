-- Who counts the slots of an organisation holds a row of ours, not an advisory key: those are one
-- space for all logins of the database.

-- Transactions that hold the former key end first; those that come later find the new functions.
LOCK TABLE runs IN EXCLUSIVE MODE;

-- Whether a run may hold so many slots of its organisation. The caller is alone until its transaction
-- ends; being volatile, the function sees what all before it have committed.
CREATE OR REPLACE FUNCTION has_room(
    organization uuid, run uuid, syncs bigint, builds bigint, max_syncs bigint, max_builds bigint
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM take_lock('slots.' || organization);
    RETURN (
        SELECT (has_room.syncs = 0 OR has_room.syncs + coalesce(sum(other.syncs), 0) <= max_syncs)
           AND (has_room.builds = 0 OR has_room.builds + coalesce(sum(other.builds), 0) <= max_builds)
        FROM runs other
        WHERE other.org_id = organization AND other.id <> run
          AND other.status IN ('syncing', 'transforming', 'publishing')
    );
END $$;

-- Whether a run may start at once: nothing of its organisation runs or waits to.
CREATE OR REPLACE FUNCTION is_alone(organization uuid, run uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM take_lock('slots.' || organization);
    RETURN EXISTS (SELECT FROM admission WHERE drained_since IS NULL) AND NOT EXISTS (
        SELECT FROM runs other
        WHERE other.org_id = organization AND other.id <> run
          AND other.status IN ('queued', 'syncing', 'transforming', 'publishing')
    );
END $$;
