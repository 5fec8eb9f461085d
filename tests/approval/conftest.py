"""Approval's database, made by its migrations."""

import pytest

from tests.support.databases import desk_database


@pytest.fixture
def database(settings):
    with desk_database("approval", settings) as database:
        yield database
