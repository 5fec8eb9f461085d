"""One running system for the tests of a module that leave it as they found it."""

import pytest

from tests.support.running import running_system


@pytest.fixture(scope="module")
def system(servers, tmp_path_factory):
    with running_system(servers, tmp_path_factory.mktemp("system")) as started:
        yield started
