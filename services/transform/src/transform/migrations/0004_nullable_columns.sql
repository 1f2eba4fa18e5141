ALTER TABLE table_versions ADD COLUMN nullable jsonb;
COMMENT ON COLUMN table_versions.nullable IS 'Display names of columns with empty cells; null: not known.';
