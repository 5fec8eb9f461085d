"""One running town for the tests that leave it as they found it."""

import pytest

from tests.support.running import town


@pytest.fixture(scope="module")
def running(servers, tmp_path_factory):
    with town(servers, tmp_path_factory.mktemp("town")) as here:
        yield here
