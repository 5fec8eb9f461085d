"""What many tests need: settings on a folder of their own, and on a PostgreSQL of their own."""

from dataclasses import replace

import hypothesis
import pytest

from shared.settings import Settings
from shared.storage.seals import new_key
from tests.support.servers import drop_databases, ensure, fresh_database_url

# a test does not fail because the machine is busy
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


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
