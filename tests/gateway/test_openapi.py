"""What the API says of itself, and whether it keeps its word: generated requests against the running town."""

import os
import re
from pathlib import Path

import orjson
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS

from services.gateway.routes.operations import DOCUMENT
from tests.town import code_of

# JSON Schema cannot say what is a name, a picture or a card's QR code, so not all that fits it is accepted.
ACCEPTANCE = CHECKS.get_one("positive_data_acceptance")
EXAMPLES = 15
QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}


@pytest.fixture(scope="session")
def served(town):
    return schemathesis.openapi.from_url(f"{town.base}/openapi.json")


schema = schemathesis.pytest.from_fixture("served")
