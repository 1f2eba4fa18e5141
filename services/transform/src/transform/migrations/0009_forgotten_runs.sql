-- What is kept of a run goes with it.
CREATE INDEX transformation_runs_of_run ON transformation_runs (run_id);
