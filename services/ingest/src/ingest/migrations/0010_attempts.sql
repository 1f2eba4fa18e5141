-- The last attempt of the run that was called off: a later one goes on.
ALTER TABLE cancelled_runs ADD COLUMN attempt integer NOT NULL DEFAULT 1;
