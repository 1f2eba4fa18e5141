-- When the holder of a step last declared that it works on it. A step whose holder has been silent may
-- be taken over: its message may be gone with the bus's store.
ALTER TABLE sync_runs ADD COLUMN heartbeat_at timestamptz NOT NULL DEFAULT now();
