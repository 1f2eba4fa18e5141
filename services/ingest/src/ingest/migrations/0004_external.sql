-- What other systems told of the tables that they fill. A source of the table may be made later.
CREATE TABLE announcements (
    id         uuid PRIMARY KEY, -- of the event: told twice is told once
    seq        bigint GENERATED ALWAYS AS IDENTITY, -- the order in which they were heard
    org_id     uuid NOT NULL,
    table_name text NOT NULL,
    row_count  bigint,
    heard_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX announcements_of_table ON announcements (org_id, table_name, seq);
SELECT ${prefix}_chassis.organization_table('announcements');

-- Steps that nobody works on until an announcement comes, or their time is over.
CREATE TABLE waiting_syncs (
    step_id    uuid PRIMARY KEY,
    org_id     uuid NOT NULL,
    source_id  uuid NOT NULL,
    run_id     uuid NOT NULL,
    table_name text NOT NULL,
    after_seq  bigint NOT NULL, -- what was heard later than this ends the wait
    command    jsonb NOT NULL,
    actor      text NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    deadline   timestamptz NOT NULL,
    resumed_at timestamptz -- when the command was sent again; null while it waits
);
CREATE INDEX waiting_syncs_due ON waiting_syncs (deadline) WHERE resumed_at IS NULL;
SELECT ${prefix}_chassis.organization_table('waiting_syncs');
