-- Who changes a source while other services are asked.
-- A lease, since a transaction would hold a connection for as long.
ALTER TABLE sources ADD COLUMN changed_by uuid, ADD COLUMN changed_until timestamptz;
