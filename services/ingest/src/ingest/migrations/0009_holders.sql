-- The message by which the step is held: one that asks again does not take it from its holder.
ALTER TABLE sync_runs ADD COLUMN holder uuid;
