"""The one table of kinds of declaration."""

import pytest

from services.registration.domain.kinds import KINDS, Effect, WrongKind, check_effect, effect_of
from services.registration.media.picture import JPEG, PNG, WEBP
from services.registration.schemas.declaration import FORMS, read_declaration
from services.registration.service import Registration
from shared.language.errors import FieldError, Invalid
from shared.language.values import PICTURE_SUFFIXES, DeclarationKind
from tests.support.events import declaration_approved
from tests.support.people import declaration_form


def test_every_kind_has_its_row():
    assert set(KINDS) == set(DeclarationKind)


def test_every_kind_brings_something_else_about():
    assert {kind: effect_of(kind) for kind in DeclarationKind} == {
        DeclarationKind.REGISTER: Effect.OPEN_ACCOUNT,
        DeclarationKind.CHILD: Effect.ADD_CHILD,
        DeclarationKind.ADJUST: Effect.CHANGE_ACCOUNT,
        DeclarationKind.STOP: Effect.CLOSE_ACCOUNT,
    }


def test_every_form_of_the_table_is_there_and_no_other():
    assert {row.form for row in KINDS.values() if row.form} == set(FORMS)


@pytest.mark.parametrize("kind", DeclarationKind)
def test_a_kind_can_be_submitted_once_it_has_a_form(kind):
    if KINDS[kind].form is None:
        with pytest.raises(Invalid) as refusal:
            read_declaration(declaration_form(kind=kind.value))
        assert refusal.value.errors == (FieldError("kind", "not_a_choice", {"choices": "register"}),)
    else:
        assert read_declaration(declaration_form(kind=kind.value))["kind"] == kind


@pytest.mark.parametrize("kind", ["", "REGISTER", "transfer"])
def test_an_unknown_kind_brings_nothing_about(kind):
    with pytest.raises(WrongKind):
        effect_of(kind)


@pytest.mark.parametrize("kind", [kind for kind in DeclarationKind if kind is not DeclarationKind.REGISTER])
def test_only_a_registration_may_open_an_account(kind):
    assert check_effect(DeclarationKind.REGISTER, Effect.OPEN_ACCOUNT) is None
    with pytest.raises(WrongKind):
        check_effect(kind, Effect.OPEN_ACCOUNT)


@pytest.mark.parametrize("kind", ["child", "adjust", "stop", "transfer"])
def test_the_listener_fails_for_an_approval_that_is_no_registration(kind):
    """It fails before it needs its database, so the event goes to the retry queue and then to the dead queue."""
    with pytest.raises(WrongKind):
        Registration().on_declaration_approved(declaration_approved(kind=kind))


def test_approval_knows_the_suffixes_of_every_format_that_is_kept():
    assert {one.suffix for one in (JPEG, PNG, WEBP)} == set(PICTURE_SUFFIXES)
