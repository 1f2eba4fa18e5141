-- The last attempt of the run that was called off: a later one goes on.
ALTER TABLE cancelled_runs ADD COLUMN attempt integer NOT NULL DEFAULT 1;

-- Each attempt of a run is decided once.
ALTER TABLE publications ADD COLUMN attempt integer NOT NULL DEFAULT 1;
ALTER TABLE publications DROP CONSTRAINT publications_pkey;
ALTER TABLE publications ADD PRIMARY KEY (run_id, attempt);
