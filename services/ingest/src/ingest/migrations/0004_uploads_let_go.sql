-- The reading of its upload (content, options, key of masks) that was published and for which the
-- source will not need the file again; null where it was never let go.
ALTER TABLE sources ADD COLUMN let_go text;
CREATE INDEX sync_runs_of_source ON sync_runs (org_id, source_id);
