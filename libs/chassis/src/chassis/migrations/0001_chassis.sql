-- What every service's schema holds. No organisation owns these rows.

CREATE TABLE outbox (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL UNIQUE,
    stream       text NOT NULL,
    subject      text NOT NULL,
    headers      jsonb NOT NULL,
    body         bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

CREATE TABLE inbox (
    message_id  uuid PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE dead_letters (
    id         uuid PRIMARY KEY,
    stream     text NOT NULL,
    subject    text NOT NULL,
    headers    jsonb NOT NULL,
    body       bytea NOT NULL,
    reason     text NOT NULL,
    deliveries integer NOT NULL,
    died_at    timestamptz NOT NULL DEFAULT now()
);
