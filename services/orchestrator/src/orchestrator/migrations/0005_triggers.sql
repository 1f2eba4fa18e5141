CREATE TABLE triggers (
    pipeline_id       uuid NOT NULL REFERENCES pipelines ON DELETE CASCADE,
    position          integer NOT NULL,
    org_id            uuid NOT NULL,
    after_pipeline_id uuid REFERENCES pipelines ON DELETE CASCADE, -- null: on uploads
    source_id         uuid, -- on uploads; null: of any source of the pipeline
    only_if_changed   boolean NOT NULL,
    is_active         boolean NOT NULL,
    overlap           text NOT NULL,
    PRIMARY KEY (pipeline_id, position)
);
CREATE INDEX triggers_after ON triggers (after_pipeline_id) WHERE after_pipeline_id IS NOT NULL;
CREATE INDEX triggers_on_upload ON triggers (org_id) WHERE after_pipeline_id IS NULL;
SELECT ${prefix}_chassis.organization_table('triggers');

-- What came of causes stands beside what came of times: each cause starts one run of a pipeline.
ALTER TABLE firings DROP CONSTRAINT firings_pkey;
ALTER TABLE firings ALTER COLUMN scheduled_for DROP NOT NULL;
ALTER TABLE firings ADD COLUMN caused_by uuid, -- the run, or the message that told of it
    ADD COLUMN cause jsonb,
    ADD UNIQUE (pipeline_id, scheduled_for),
    ADD UNIQUE (pipeline_id, caused_by),
    ADD CHECK (num_nonnulls(scheduled_for, caused_by) = 1);
