"""One embedded town for all tests of the gateway; a test that wants another setting starts its own."""

from collections.abc import Iterator

import pytest

from tests.support.embedded import COLLEAGUE, STRANGER, TINY_LIMITS, AtDesk, EmbeddedTown, running


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTown]:
    with running(tmp_path_factory.mktemp("town"), **TINY_LIMITS) as one:
        yield one


@pytest.fixture(scope="session")
def officer(town: EmbeddedTown) -> AtDesk:
    return town.sign_in()


@pytest.fixture(scope="session")
def colleague(town: EmbeddedTown) -> AtDesk:
    """An officer of the same agency."""
    return town.sign_in(COLLEAGUE)


@pytest.fixture(scope="session")
def stranger(town: EmbeddedTown) -> AtDesk:
    """An officer of another agency."""
    return town.sign_in(STRANGER)
