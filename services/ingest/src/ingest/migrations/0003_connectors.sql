-- Secrets of the config, encrypted, by field; the config itself shows none.
ALTER TABLE sources ADD COLUMN secrets jsonb NOT NULL DEFAULT '{}';
-- Tables that a source fills besides its own: [{table_id, name}].
ALTER TABLE sources ADD COLUMN other_tables jsonb NOT NULL DEFAULT '[]';
