"""The database of cards, made by its migrations."""

import pytest

from tests.support.databases import service_database


@pytest.fixture
def database(settings):
    with service_database("cards", settings) as database:
        yield database
