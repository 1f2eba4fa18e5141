-- Versions that were begun for a step, neither dropped since nor told as its outcome: what a killed
-- process leaves behind.
ALTER TABLE sync_runs ADD COLUMN begun text[] NOT NULL DEFAULT '{}';
