-- When to look after a run next, by the database's clock; null: nobody works on it.
ALTER TABLE runs ADD COLUMN look_at timestamptz;
-- How often its owners were asked again since it last moved.
ALTER TABLE runs ADD COLUMN repeats integer NOT NULL DEFAULT 0;
UPDATE runs SET look_at = now() WHERE status IN ('syncing', 'transforming', 'publishing');
CREATE INDEX runs_watched ON runs (look_at) WHERE look_at IS NOT NULL;
