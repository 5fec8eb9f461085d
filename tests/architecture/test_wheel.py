"""A wheel holds everything that lies beside the code: an installed `vssid` needs no checkout."""

import shutil
import subprocess
import sys
from zipfile import ZipFile

import pytest

from tests.architecture.sources import ROOT

PACKAGES = ("services", "shared", "vssid")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build a wheel of a copy, so that nothing is written beside the code and nothing old is packed."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    command = ["pip", "wheel", ".", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "dist"]
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = (folder / "dist").glob("*.whl")
    return made


def packed(wheel):
    """Return the files of a wheel, without what describes it."""
    with ZipFile(wheel) as archive:
        return sorted(name for name in archive.namelist() if ".dist-info/" not in name)


def test_a_wheel_holds_every_file_of_the_packages(wheel):
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    expected = [path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts]
    assert packed(wheel) == sorted(expected)


def test_a_wheel_holds_tables_templates_fonts_and_migrations(wheel):
    """The law above would also hold over nothing."""
    assert {
        "services/cards/levels.csv",
        "services/registration/agencies.csv",
        "services/registration/media/fonts/DeclarationSerif-Regular.ttf",
        "services/registration/migrations/0001_declaration.py",
        "services/gateway/templates/docs.html",
        "shared/storage/alembic/env.py",
        "shared/storage/alembic/script.py.mako",
    } <= set(packed(wheel))
