-- Whether the file still lies in the object store: what is let go is known by its hash alone.
ALTER TABLE uploads ADD COLUMN is_stored boolean NOT NULL DEFAULT true;
