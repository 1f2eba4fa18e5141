-- What is kept of a run goes with it.
CREATE INDEX sync_runs_of_run ON sync_runs (run_id);
