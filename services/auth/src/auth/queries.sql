-- name: add_user(id, email, name, password_hash)!
INSERT INTO users (id, email, name, password_hash) VALUES (:id, :email, :name, :password_hash);

-- name: add_organization(id, name)!
INSERT INTO organizations (id, name) VALUES (:id, :name);

-- name: add_member(user_id, organization_id, role)!
INSERT INTO organization_members (user_id, organization_id, role)
VALUES (:user_id, :organization_id, :role);

-- name: find_account(email)^
SELECT id, email, name, password_hash FROM users WHERE email = :email;

-- name: set_password_hash(new, user_id, old)!
-- Only over the hash that was verified: a password changed meanwhile stays changed.
UPDATE users SET password_hash = :new WHERE id = :user_id AND password_hash = :old;

-- name: find_member(user_id, organization_id)^
SELECT u.id AS user_id, u.email, u.name, o.id, o.name AS organization_name, o.timezone, m.role
FROM organization_members m
JOIN users u ON u.id = m.user_id
JOIN organizations o ON o.id = m.organization_id
WHERE m.user_id = :user_id AND m.organization_id = :organization_id;

-- name: find_organization(organization_id)^
SELECT id, name, timezone FROM organizations WHERE id = :organization_id;

-- name: list_memberships(user_id)
SELECT o.id, o.name, o.timezone, m.role
FROM organization_members m JOIN organizations o ON o.id = m.organization_id
WHERE m.user_id = :user_id
ORDER BY m.created_at, o.id;

-- name: drop_expired_sessions(user_id)!
DELETE FROM sessions WHERE user_id = :user_id AND expires_at < now();

-- name: add_session(id, user_id, organization_id, expires_at)!
INSERT INTO sessions (id, user_id, organization_id, expires_at)
VALUES (:id, :user_id, :organization_id, :expires_at);

-- name: add_refresh_token(hash, session_id, parent, sealed, expires_at)!
INSERT INTO refresh_tokens (hash, session_id, parent, is_active, sealed, expires_at)
VALUES (:hash, :session_id, :parent, true, :sealed, :expires_at);

-- name: lock_session(hash)^
-- Locked before its tokens are read: READ COMMITTED then shows what the last holder committed.
SELECT s.id, s.user_id, s.organization_id, s.revoked_at IS NOT NULL AS is_revoked
FROM sessions s
WHERE s.id = (SELECT session_id FROM refresh_tokens WHERE hash = :hash)
FOR UPDATE OF s;

-- name: find_refresh_token(hash)^
SELECT hash, parent, sealed, expires_at, expires_at <= now() AS is_expired
FROM refresh_tokens WHERE hash = :hash;

-- name: find_active_token(session_id)^
SELECT hash, parent, sealed, expires_at, expires_at <= now() AS is_expired
FROM refresh_tokens WHERE session_id = :session_id AND is_active;

-- name: retire_refresh_token(hash)!
UPDATE refresh_tokens SET is_active = false WHERE hash = :hash;

-- name: extend_session(expires_at, session_id)!
UPDATE sessions SET expires_at = :expires_at WHERE id = :session_id;

-- name: revoke_session(because, session_id)!
UPDATE sessions SET revoked_at = now(), revoked_because = :because
WHERE id = :session_id AND revoked_at IS NULL;

-- name: find_signing_key()^
SELECT kid, private FROM signing_keys
WHERE retired_at IS NULL ORDER BY created_at DESC, kid LIMIT 1;

-- name: list_verifying_keys(token_life)
SELECT kid, public FROM signing_keys
WHERE retired_at IS NULL OR retired_at > now() - :token_life::interval
ORDER BY created_at DESC, kid;

-- name: lock_signing_keys()^
SELECT take_lock('signing_keys');

-- name: add_signing_key(kid, private, public)!
INSERT INTO signing_keys (kid, private, public) VALUES (:kid, :private, :public);
