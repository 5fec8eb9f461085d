"""The release before this one, from git's history: what runs while an upgrade is under way, and after it is undone."""

import subprocess
from io import BytesIO
from pathlib import Path
from tarfile import open as open_tar

import pytest

from tests.architecture.sources import ROOT

RELEASE, COMMIT = "0.2.0", "74f1e08fe9ac4ccbeea7e2a97df34791af61cca9"
# the newest migration of each service in it: later ones run while it runs
NEWEST = {"registration": "0007", "approval": "0011", "notification": "0008", "cards": "0004"}


def unpack(folder: Path) -> dict[str, str]:
    """Unpack the release's packages; return the variables with which Python runs them instead of ours."""
    command = ["git", "archive", COMMIT, "services", "shared", "vssid"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"release {RELEASE} is not here: git has no history of it ({done.stderr.decode().strip()})")
    with open_tar(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
