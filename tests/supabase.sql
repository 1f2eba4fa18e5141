-- What a project of Supabase has before its owner does anything, as the init scripts of supabase/postgres
-- leave it: roles and schemas of its services, `public` of another owner, `postgres` no superuser.
\getenv password MIGRATOR_PASSWORD
CREATE ROLE postgres LOGIN PASSWORD :'password';
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD :'password';
CREATE ROLE supabase_auth_admin LOGIN NOINHERIT CREATEROLE PASSWORD :'password';
CREATE ROLE supabase_storage_admin LOGIN NOINHERIT CREATEROLE PASSWORD :'password';
CREATE ROLE dashboard_user NOSUPERUSER CREATEDB CREATEROLE REPLICATION;
GRANT anon, authenticated, service_role TO authenticator;
GRANT anon, authenticated, service_role TO postgres WITH ADMIN OPTION;
GRANT pg_monitor, pg_read_all_data, pg_signal_backend TO postgres;

CREATE SCHEMA extensions AUTHORIZATION supabase_admin;
CREATE SCHEMA auth AUTHORIZATION supabase_auth_admin;
CREATE SCHEMA storage AUTHORIZATION supabase_storage_admin;
CREATE SCHEMA graphql_public AUTHORIZATION supabase_admin;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
CREATE TABLE auth.schema_migrations (version text PRIMARY KEY);
ALTER TABLE auth.users OWNER TO supabase_auth_admin;
ALTER TABLE auth.schema_migrations OWNER TO supabase_auth_admin;
CREATE TABLE storage.migrations (id integer PRIMARY KEY, name text, hash text);
ALTER TABLE storage.migrations OWNER TO supabase_storage_admin;
SELECT format('CREATE EXTENSION %I SCHEMA extensions', name) FROM pg_available_extensions
WHERE name IN ('pgcrypto', 'pg_stat_statements') \gexec
GRANT USAGE ON SCHEMA public, extensions, auth, storage TO postgres, anon, authenticated, service_role;
GRANT ALL ON SCHEMA extensions TO postgres WITH GRANT OPTION;
GRANT ALL ON auth.users, auth.schema_migrations, storage.migrations TO postgres;
ALTER SCHEMA public OWNER TO pg_database_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO postgres;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public
    GRANT ALL ON TABLES TO postgres, anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public
    GRANT ALL ON FUNCTIONS TO postgres, anon, authenticated, service_role;

ALTER ROLE anon SET statement_timeout = '3s';
ALTER ROLE authenticated SET statement_timeout = '8s';
ALTER ROLE supabase_auth_admin SET search_path = 'auth';
ALTER ROLE postgres SET search_path = "$user", public, extensions;
ALTER DATABASE postgres SET search_path = "$user", public, extensions;
GRANT ALL ON DATABASE postgres TO postgres WITH GRANT OPTION;
GRANT CONNECT ON DATABASE postgres TO PUBLIC;
ALTER ROLE postgres NOSUPERUSER CREATEDB CREATEROLE REPLICATION ${bypasses};
