-- Headers of the trace that a sync which waits belongs to: its command goes on with it.
ALTER TABLE waiting_syncs ADD COLUMN trace jsonb NOT NULL DEFAULT '{}';
