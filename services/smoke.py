"""`make smoke`: the main job against a running town, with what Mailpit received."""

import random
import sys
import time
from typing import Any

import click
import requests

from services.people import DemoPerson
from services.walk import StepFailed, Walk, until

AGENCY = "07921"


def run(url: str, inbox: str, count: int) -> None:
    """Send ``count`` declarations the whole way; leave with 1 where anything is missing or doubled."""
    try:
        Smoke(url, inbox).run(count)
    except (StepFailed, requests.RequestException) as failure:
        click.secho(f"✗ {failure}", fg="red", err=True)
        sys.exit(1)


class Smoke:
    """Declarations of invented people, an officer for the occasion, and the inbox afterwards."""

    def __init__(self, url: str, inbox: str) -> None:
        self._going, self._inbox = Walk(url), inbox.rstrip("/")
