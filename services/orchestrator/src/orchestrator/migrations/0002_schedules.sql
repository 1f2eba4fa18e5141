CREATE TABLE schedules (
    pipeline_id uuid PRIMARY KEY REFERENCES pipelines ON DELETE CASCADE,
    org_id      uuid NOT NULL,
    rule        jsonb NOT NULL,
    next_run_at timestamptz -- null: never by itself (manual, paused, no such day any more)
);
CREATE INDEX schedules_due ON schedules (next_run_at) WHERE next_run_at IS NOT NULL;
SELECT ${prefix}_chassis.organization_table('schedules');

-- What came of each time: the key lets one replica only start a run for it.
CREATE TABLE firings (
    pipeline_id   uuid NOT NULL REFERENCES pipelines ON DELETE CASCADE,
    scheduled_for timestamptz NOT NULL,
    org_id        uuid NOT NULL,
    run_id        uuid,
    reason        text, -- why no run was started
    at            timestamptz NOT NULL,
    PRIMARY KEY (pipeline_id, scheduled_for)
);
SELECT ${prefix}_chassis.organization_table('firings');
