-- The uploads that a source has besides the one in its config: further files of `append` and `upsert`
-- in their order, and those that were replaced.
CREATE TABLE source_uploads (
    source_id uuid NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    position  bigint NOT NULL,
    org_id    uuid NOT NULL,
    upload_id uuid NOT NULL,
    former    boolean NOT NULL, -- replaced: kept as long as its version is the last or the one before
    PRIMARY KEY (source_id, position),
    UNIQUE (source_id, upload_id)
);
CREATE INDEX source_uploads_by_upload ON source_uploads (upload_id);
SELECT ${prefix}_chassis.organization_table('source_uploads');
