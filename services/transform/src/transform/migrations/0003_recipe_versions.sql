-- What a version of a recipe must say when tables have gone since, and where it came from; the mark
-- of a transformation that is about to go.

ALTER TABLE transformation_versions
    ADD COLUMN table_names jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN restored_from integer;
COMMENT ON COLUMN transformation_versions.table_names IS 'Live to display names, at the save.';

ALTER TABLE transformations ADD COLUMN deleting_since timestamptz;
COMMENT ON COLUMN transformations.deleting_since IS 'For a minute no run and no pipeline begins with it.';
