-- One row for all organisations: while `drained_since` is set no run starts.
CREATE TABLE admission (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    drained_since timestamptz
);
INSERT INTO admission DEFAULT VALUES;
