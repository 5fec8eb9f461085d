"""What the README shows with curl does what it says."""

import json
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.pictures import PICTURE

ROOT = Path(import_module("services").__file__).parents[1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("page", ["README.md", "README.vi.md"])
def test_the_example_with_curl_declares(system, tmp_path, page):
    (shown,) = re.findall(r"(?s)```bash\n(.*?)```", (ROOT / page).read_text("utf-8"))
    assert shown.count("http://127.0.0.1:8000") == 1
    for name in ("portrait", "front", "back"):
        (tmp_path / f"{name}.jpg").write_bytes(PICTURE)
    script = shown.replace("http://127.0.0.1:8000", system.url)
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    declared = json.loads(done.stdout)
    assert (declared["status"], declared["agency"]["code"]) == ("pending", "07921")
    withdrawn = {"tracking_code": declared["tracking_code"]}
    assert system.call("DELETE", f"/declarations/{declared['number']}", params=withdrawn).status_code == 204
