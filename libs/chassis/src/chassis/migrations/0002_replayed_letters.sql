-- A dead letter that an operator has sent again stays until it is dropped.
ALTER TABLE dead_letters
    ADD COLUMN replays integer NOT NULL DEFAULT 0,
    ADD COLUMN replayed_at timestamptz;
