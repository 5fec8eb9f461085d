"""One embedded system for all tests of the gateway; a test that wants another setting starts its own."""

from collections.abc import Iterator

import pytest

from tests.support.embedded import TINY_LIMITS, EmbeddedSystem, OfficerSession, embedded_system
from tests.support.people import COLLEAGUE, STRANGER


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSystem]:
    with embedded_system(tmp_path_factory.mktemp("system"), **TINY_LIMITS) as started:
        yield started


@pytest.fixture(scope="session")
def officer(system: EmbeddedSystem) -> OfficerSession:
    return system.sign_in()


@pytest.fixture(scope="session")
def colleague(system: EmbeddedSystem) -> OfficerSession:
    """An officer of the same agency."""
    return system.sign_in(COLLEAGUE)


@pytest.fixture(scope="session")
def stranger(system: EmbeddedSystem) -> OfficerSession:
    """An officer of another agency."""
    return system.sign_in(STRANGER)
