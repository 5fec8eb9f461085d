"""The printed form that goes out with the first mail: printed when the declaration is told, not while it is taken."""

import pytest

from services.registration import service
from services.registration.domain.upload import form_key
from services.registration.service import Registration
from shared.framework.providers import GreenFileStore
from tests.support.databases import announced
from tests.support.facts import declaration_form


@pytest.fixture
def desk(database, tmp_path):
    desk = Registration()
    desk.database, desk.declaration_days, desk.files = database, 10.0, GreenFileStore(tmp_path.as_uri())
    return desk


@pytest.fixture
def submitted(desk, database):
    """Submit a declaration; return its answer and the fact that was told."""

    def submit(**changes):
        answer = desk.submit_declaration(declaration_form(**{"email_copy": True, **changes}), "vi", None)
        (event,) = announced(database)
        return answer, event

    return submit


@pytest.fixture
def stored(tmp_path):
    return lambda: sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*.pdf"))


def test_the_form_is_printed_once_the_declaration_is_told(desk, submitted, stored):
    _, event = submitted()
    assert stored() == []
    desk.on_declaration_submitted(event)
    assert stored() == [event.form_key] == [form_key(event.declaration_id)]


@pytest.mark.parametrize("changes", [{"email_copy": False}, {"email": None}], ids=["not wished for", "no address"])
def test_no_form_is_printed_that_no_mail_takes_along(desk, submitted, stored, changes):
    _, event = submitted(**changes)
    desk.on_declaration_submitted(event)
    assert (event.form_key, stored()) == (None, [])


def test_a_declaration_taken_back_before_it_is_printed_leaves_no_form(desk, submitted, stored):
    answer, event = submitted()
    desk.withdraw_declaration(answer["number"], answer["tracking_code"])
    desk.on_declaration_submitted(event)
    assert stored() == []


def test_a_declaration_taken_back_while_it_is_printed_leaves_no_form(desk, submitted, stored, monkeypatch):
    answer, event = submitted()
    print_form = service.printed

    def printed(data):
        desk.withdraw_declaration(answer["number"], answer["tracking_code"])
        return print_form(data)

    monkeypatch.setattr(service, "printed", printed)
    desk.on_declaration_submitted(event)
    assert stored() == []
