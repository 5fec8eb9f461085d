"""Links to pictures are signed with the newest key and verified with every key."""

import pytest

from services.gateway.identity import PictureLinks
from shared.language.errors import NotFound
from shared.settings import Settings, SettingsError
from shared.storage.seals import new_key

OLD, NEW = new_key(), new_key()


def links(keys):
    return PictureLinks(Settings(link_key=keys, public_url="https://vssid.example"))


def token(link):
    return link.removeprefix("https://vssid.example/api/v1/photos/")


def test_a_link_of_an_old_key_works_until_the_key_is_removed():
    old = token(links(OLD).link("session/2026-0000001/portrait"))
    assert links(f"{NEW},{OLD}").reference(old) == "session/2026-0000001/portrait"
    with pytest.raises(NotFound):
        links(NEW).reference(old)


def test_the_first_key_signs():
    new = token(links(f"{NEW} {OLD}").link("session/2026-0000001/portrait"))
    assert links(NEW).reference(new) == "session/2026-0000001/portrait"
    with pytest.raises(NotFound):
        links(OLD).reference(new)


@pytest.mark.parametrize("keys", ["", ",", "short", f"{NEW} short"])
def test_a_key_that_cannot_be_used_is_named_by_its_setting(keys):
    with pytest.raises(SettingsError) as refusal:
        links(keys)
    assert str(refusal.value) == "LINK_KEY is not usable: it takes keys of `vssid key`, newest first"
