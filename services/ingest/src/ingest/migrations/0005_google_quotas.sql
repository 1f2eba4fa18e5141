-- A token bucket for each Google credential, shared by all replicas and, where organisations use the
-- installation's own key, by them: a system table.
CREATE TABLE google_quotas (
    credential text PRIMARY KEY, -- SHA-256 of its e-mail
    full_at    timestamptz NOT NULL -- when the bucket will be full again
);
