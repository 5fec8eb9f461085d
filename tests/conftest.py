"""What many tests need: settings on a folder of their own, and on a PostgreSQL of their own."""

import re
from dataclasses import replace

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from shared.settings import Settings
from shared.storage.seals import new_key
from tests.support.servers import drop_databases, ensure, fresh_database_url

DRAWN_KEY = re.compile(r"[\w-]{43,}=*")

# a test does not fail because the machine is busy
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")

WHOLE_SYSTEMS = ("tests/live/", "tests/chaos/")  # ten processes each: one after another


class FileByFile(LoadScopeScheduling):
    """Gives a test process a file at a time, so that fixtures are shared; files that start whole systems go to one."""

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return "whole systems" if file.startswith(WHOLE_SYSTEMS) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return FileByFile(config, log)


def pytest_make_parametrize_id(val):
    """Leave drawn keys out of the names of cases: the processes that share the tests must know them by one name."""
    named = DRAWN_KEY.sub("key", val) if isinstance(val, str) else val
    return None if named == val else named


@pytest.fixture
def settings(tmp_path):
    """The embedded default in a throwaway folder; a busy machine is given time."""
    return Settings(var_dir=str(tmp_path / "var"), seal_key=new_key(), journal_key=new_key(), database_timeout=10.0)


@pytest.fixture(scope="session")
def servers():
    return ensure()


@pytest.fixture
def postgresql_settings(settings, servers):
    """The same with a real PostgreSQL, databases of a throwaway name."""
    url = fresh_database_url(servers)
    yield replace(settings, database_url=url)
    drop_databases(url)
