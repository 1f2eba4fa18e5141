-- Identities are system tables: a login is looked up before any organisation is known, so there is
-- no row-level security here and few queries instead (all of them in queries.sql).

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    email         text NOT NULL UNIQUE,  -- normalised: trimmed, NFKC, case-folded
    name          text,
    password_hash text NOT NULL,         -- argon2id, PHC string
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE organizations (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    timezone   text NOT NULL DEFAULT 'UTC',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE organization_members (
    user_id         uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    role            text NOT NULL CHECK (role IN ('viewer', 'runner', 'editor', 'admin', 'owner')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, organization_id)
);
CREATE INDEX organization_members_organization ON organization_members (organization_id);

-- A session is the family of all refresh tokens that descend from one login; its id is the access
-- tokens' `sid`. Its row is the lock under which the family changes.
CREATE TABLE sessions (
    id              uuid PRIMARY KEY,
    user_id         uuid NOT NULL,
    organization_id uuid NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,  -- that of the active token
    revoked_at      timestamptz,
    revoked_because text CHECK (revoked_because IN ('logout', 'replay')),
    FOREIGN KEY (user_id, organization_id) REFERENCES organization_members ON DELETE CASCADE
);
CREATE INDEX sessions_user ON sessions (user_id, expires_at);

CREATE TABLE refresh_tokens (
    hash       bytea PRIMARY KEY,  -- SHA-256; a 256-bit random token needs no slower one
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    parent     bytea,              -- the token that was exchanged for this one
    is_active  boolean NOT NULL,
    sealed     text NOT NULL,      -- the token itself, encrypted: said again when an answer was lost
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX refresh_tokens_active ON refresh_tokens (session_id) WHERE is_active;

CREATE TABLE signing_keys (
    kid        text PRIMARY KEY,  -- RFC 7638 thumbprint
    private    text NOT NULL,     -- 32 bytes of Ed25519, encrypted
    public     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz        -- signs no more; verifies until its last token has expired
);
