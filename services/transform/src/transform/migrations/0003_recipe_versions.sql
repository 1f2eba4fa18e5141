-- What a version of a recipe must say when tables have gone since, and where it came from.

ALTER TABLE transformation_versions
    ADD COLUMN table_names jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN restored_from integer;
COMMENT ON COLUMN transformation_versions.table_names IS 'Live to display names, at the save.';
