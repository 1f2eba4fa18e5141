-- Attempts of runs: the last that was called off, and a decision on publishing for each.
ALTER TABLE cancelled_runs ADD COLUMN attempt integer NOT NULL DEFAULT 1;

ALTER TABLE publications ADD COLUMN attempt integer NOT NULL DEFAULT 1;
ALTER TABLE publications DROP CONSTRAINT publications_pkey;
ALTER TABLE publications ADD PRIMARY KEY (run_id, attempt);
