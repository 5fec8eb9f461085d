"""The printed form that goes out with the first mail: stored for each declaration that is kept, and for no other."""

import pytest

from services.registration import service
from services.registration.domain.upload import form_key
from services.registration.service import Registration
from shared.errors import Refused
from shared.framework import GreenStore
from tests.databases import announced
from tests.people import declaration_form


@pytest.fixture
def desk(database, tmp_path):
    desk = Registration()
    desk.database, desk.declaration_days, desk.files = database, 10.0, GreenStore(tmp_path.as_uri())
    return desk


@pytest.fixture
def stored(tmp_path):
    return lambda: sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*.pdf"))


def submit(desk, key=None, **changes):
    return desk.submit_declaration(declaration_form(email_copy=True, **changes), "vi", key)


def test_the_form_lies_in_the_store_before_the_fact_that_names_it_is_told(desk, database, stored):
    answer = submit(desk)
    (event,) = announced(database)
    assert event.number == answer["number"]
    assert event.form_key == form_key(event.declaration_id)
    assert stored() == [event.form_key]


def test_no_transaction_is_open_while_the_form_is_printed(desk, database, monkeypatch):
    print_form, in_use = service.printed, []

    def printed(data):
        in_use.append(database.engine.pool.checkedout())
        return print_form(data)

    monkeypatch.setattr(service, "printed", printed)
    submit(desk)
    assert in_use == [0]


def test_the_same_key_again_gets_the_first_answer_and_stores_nothing_more(desk, database, stored):
    first = submit(desk, "key-1")
    assert submit(desk, "key-1") == first
    assert len(announced(database)) == len(stored()) == 1


def test_a_refused_declaration_leaves_no_form(desk, stored):
    with pytest.raises(Refused, match="upload_not_found"):
        submit(desk, photos=dict.fromkeys(("portrait", "id_front", "id_back"), "00000000-0000-4000-8000-000000000000"))
    assert stored() == []


def test_a_key_used_for_another_declaration_is_refused_and_leaves_no_form(desk, stored):
    submit(desk, "key-1")
    with pytest.raises(Refused, match="idempotency_key_reused"):
        submit(desk, "key-1", full_name="Lê Văn Mẫu")
    assert len(stored()) == 1
