"""Approval's database, made by its migrations."""

import pytest

from tests.support.databases import service_database


@pytest.fixture
def database(settings):
    with service_database("approval", settings) as database:
        yield database
