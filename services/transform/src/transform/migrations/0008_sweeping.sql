-- What an organisation keeps is looked at after its publishes, and whenever all are swept.
CREATE INDEX table_versions_by_organization ON table_versions (org_id, superseded_at);
-- Forgetting a version asks whether a table still shows it.
CREATE INDEX warehouse_tables_by_version ON warehouse_tables (version_id);
