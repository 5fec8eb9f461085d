"""The printed form that goes out with the first mail: printed when the event arrives, not during the submission."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.registration import service
from services.registration.domain.upload import form_key
from services.registration.service import Registration, submission_limits
from shared.framework.providers import GreenFileStore
from shared.settings import read
from shared.storage.files import FileStore
from tests.support.databases import announced
from tests.support.people import declaration_form


class Here:
    """Does the work here and now; tests/shared/test_isolated.py has the processes."""

    def run(self, function, *arguments):
        return function(*arguments)


@pytest.fixture
def registration(database, tmp_path):
    service = Registration()
    service.database, service.declaration_days, service.files = database, 10.0, GreenFileStore(tmp_path.as_uri())
    service.limits = submission_limits(read({}))
    service.isolated = Here()
    return service


@pytest.fixture
def submitted(registration, database):
    """Submit a declaration; return its answer and the fact that was told."""

    def submit(**changes):
        answer = registration.submit_declaration(
            declaration_form(**{"email_copy": True, **changes}), "vi", None, "192.0.2.1"
        )
        event, _ = announced(database)
        return answer, event

    return submit


@pytest.fixture
def stored(tmp_path):
    return lambda: sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*.pdf"))


def test_the_form_is_printed_once_the_event_arrives(registration, submitted, stored):
    _, event = submitted()
    assert stored() == []
    registration.on_declaration_submitted(event)
    assert stored() == [event.form_key] == [form_key(event.declaration_id)]


@pytest.mark.parametrize("changes", [{"email_copy": False}, {"email": None}], ids=["not wanted", "no address"])
def test_no_form_is_printed_that_no_mail_carries(registration, submitted, stored, changes):
    _, event = submitted(**changes)
    registration.on_declaration_submitted(event)
    assert (event.form_key, stored()) == (None, [])


def test_a_declaration_withdrawn_before_it_is_printed_leaves_no_form(registration, submitted, stored):
    answer, event = submitted()
    registration.withdraw_declaration(answer["number"], answer["tracking_code"])
    registration.on_declaration_submitted(event)
    assert stored() == []


def test_a_declaration_withdrawn_while_it_is_printed_leaves_no_form(registration, submitted, stored, monkeypatch):
    answer, event = submitted()
    print_form01 = service.print_form01

    def printed(data):
        registration.withdraw_declaration(answer["number"], answer["tracking_code"])
        return print_form01(data)

    monkeypatch.setattr(service, "print_form01", printed)
    registration.on_declaration_submitted(event)
    assert stored() == []


def test_a_form_is_printed_once_however_often_it_is_asked_for(registration, submitted, monkeypatch, tmp_path):
    answer, _ = submitted()
    registration.files = FileStore(tmp_path.as_uri())  # from several real threads
    printed = []
    print_form01 = service.print_form01
    monkeypatch.setattr(service, "print_form01", lambda data: printed.append(data) or print_form01(data))
    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(registration.print_form01, answer["number"], answer["tracking_code"]) for _ in range(8)]
    assert len({one.result()["pdf"] for one in asked}) == 1
    assert len(printed) == 1
