"""Runs a script in a process of its own, where the standard library may be made green; pytest's own stays as it is."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 60  # a machine with other work to do is given time


def said_by(script: str, **environment: str) -> Any:
    """Return the last line a script prints, read as JSON; one that fails fails the test with its words."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "ignore", **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
