-- Locks of one service: rows, which a login can lock only where it may write. Advisory keys are one
-- space for all logins of a database, and pg_locks shows those that are held to everyone.

CREATE TABLE IF NOT EXISTS locks (key text PRIMARY KEY);

-- The functions name their table with its schema, whatever the caller's search path is.
DO $$ BEGIN
    EXECUTE format($function$
        -- Waits for a lock, which is held until the transaction ends.
        CREATE OR REPLACE FUNCTION take_lock(wanted text) RETURNS void LANGUAGE plpgsql VOLATILE AS $body$
        BEGIN
            LOOP
                PERFORM FROM %1$I.locks WHERE key = wanted FOR UPDATE;
                EXIT WHEN FOUND;
                -- Only the first time; another transaction that inserts the same row is waited for.
                INSERT INTO %1$I.locks (key) VALUES (wanted) ON CONFLICT DO NOTHING;
                EXIT WHEN FOUND;
            END LOOP;
        END $body$
    $function$, current_schema());
    EXECUTE format($function$
        -- Takes a lock unless another transaction holds it; whether it was taken.
        CREATE OR REPLACE FUNCTION try_lock(wanted text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $body$
        BEGIN
            PERFORM FROM %1$I.locks WHERE key = wanted FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
                RETURN true;
            END IF;
            INSERT INTO %1$I.locks (key) SELECT wanted
            WHERE NOT EXISTS (SELECT FROM %1$I.locks WHERE key = wanted)
            ON CONFLICT DO NOTHING;
            RETURN FOUND;
        END $body$
    $function$, current_schema());
END $$;
