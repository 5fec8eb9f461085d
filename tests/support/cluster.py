"""A PostgreSQL cluster of a test's own, from the programs of this machine: it can be backed up, lost and restored."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2
import pytest

from tests.support.processes import HOST, free_port, kill
from tests.support.waiting import until

OWNER = "postgres"  # root may run no PostgreSQL
USER = "vssid"


class Cluster:
    """The files of a cluster and, once started, its server."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs, self.port = folder, programs, free_port()
        self.data = folder / "data"
        self._as_owner = ["runuser", "-u", OWNER, "--"] if os.geteuid() == 0 else []
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@{HOST}:{self.port}/postgres"

    def shell(self, script: str) -> list[str]:
        """Return the command that runs a script as the owner of the files, as in the container of the image."""
        path = f"PATH={self.programs}:{os.environ['PATH']}"
        where = (f"PGHOST={HOST}", f"PGPORT={self.port}", f"POSTGRES_USER={USER}", f"PGDATA={self.data}")
        return [*self._as_owner, "env", path, *where, "sh", "-c", script]

    def create(self) -> None:
        subprocess.run(self.shell(f'initdb -U {USER} -A trust -E UTF8 -N "$PGDATA"'), check=True, capture_output=True)

    def start(self) -> None:
        options = f"-c listen_addresses={HOST} -p {self.port} -c unix_socket_directories= -c max_connections=200"
        with (self.folder / "log").open("ab") as log:
            script = f'exec postgres -D "$PGDATA" {options} -c fsync=off'
            self._server = subprocess.Popen(self.shell(script), stdout=log, stderr=log)
        until(self._answers, "the cluster answers")

    def _answers(self) -> bool:
        with suppress(psycopg2.OperationalError):
            psycopg2.connect(self.url, connect_timeout=3).close()
            return True
        return False

    def lose(self) -> None:
        """End the server as a power cut would, and delete its files."""
        if self._server is not None:
            subprocess.run(self.shell('pg_ctl -D "$PGDATA" -m immediate -s stop'), check=False, capture_output=True)
            kill(self._server)
        shutil.rmtree(self.data, ignore_errors=True)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Yield a cluster without files; delete what it has in the end."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        pytest.skip("PostgreSQL's own programs are missing here: a server in a container has them, or Debian's package")
    folder = Path(tempfile.mkdtemp(prefix="vssid-cluster-"))
    made = Cluster(folder, programs)
    if os.geteuid() == 0:
        owner = pwd.getpwnam(OWNER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        yield made
    finally:
        made.lose()
        shutil.rmtree(folder)
