"""The environment is read once, typed, and refused by name where it is wrong."""

import pytest

from shared import settings
from shared.settings import Settings, SettingsError


def test_an_empty_environment_gives_the_defaults():
    assert settings.read({}) == Settings()


def test_an_empty_value_is_as_good_as_none():
    assert settings.read({"HTTP_PORT": "", "WORKERS": "  ", "SMS_ACCENTS": ""}) == Settings()


def test_values_take_the_type_of_their_setting():
    read = settings.read(
        {"HTTP_PORT": " 9000 ", "DECLARATION_DAYS": "0.5", "SMS_ACCENTS": "1", "VAR_DIR": "/srv/kho ảnh"}
    )
    assert (read.http_port, read.declaration_days, read.sms_accents) == (9000, 0.5, True)
    assert read.var_dir == "/srv/kho ảnh"


@pytest.mark.parametrize(("name", "value"), [("HTTP_PORT", "eight"), ("WORKERS", "2.5"), ("RPC_DEADLINE", "1,8")])
def test_a_value_of_the_wrong_form_is_refused_by_name(name, value):
    with pytest.raises(SettingsError, match=name):
        settings.read({name: value})


@pytest.mark.parametrize(("value", "meant"), [("1", True), ("true", True), ("On", True), ("0", False), ("off", False)])
def test_a_switch_is_on_or_off(value, meant):
    assert settings.read({"SMS_ACCENTS": value}).sms_accents is meant


def test_delays_are_a_list_of_seconds():
    assert Settings(retry_delays="0.5, 30,120").delays == (0.5, 30.0, 120.0)
    assert Settings(retry_delays="").delays == ()


def test_without_a_server_every_desk_has_a_file_of_its_own(tmp_path):
    read = Settings(var_dir=str(tmp_path / "var"))
    assert read.database("cards") == f"sqlite:///{tmp_path}/var/cards.db"
    assert (tmp_path / "var").is_dir()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@db:5432/vssid", "postgresql+psycopg2://u:p@db:5432/vssid_cards"),
        ("postgres://u:p@db/vssid", "postgresql+psycopg2://u:p@db/vssid_cards"),
        ("postgresql://db", "postgresql+psycopg2://db/vssid_cards"),
        ("postgresql://db/other?sslmode=require", "postgresql+psycopg2://db/other_cards?sslmode=require"),
        ("postgresql+psycopg2://db/vssid", "postgresql+psycopg2://db/vssid_cards"),
    ],
)
def test_on_a_server_every_desk_has_a_database_of_its_own(url, expected):
    assert Settings(database_url=url).database("cards") == expected


def test_the_town_is_embedded_where_no_broker_is_named():
    assert Settings().embedded
    assert not Settings(amqp_url="amqp://guest:guest@127.0.0.1/").embedded


def test_links_lead_to_the_public_address_or_else_to_the_port():
    assert Settings(http_port=9000).public == "http://127.0.0.1:9000"
    assert Settings(public_url="https://vssid.example/").public == "https://vssid.example"


def test_messages_go_to_a_folder_where_no_carrier_is_named(tmp_path):
    read = Settings(var_dir=str(tmp_path))
    assert read.carrier("") == f"file:{tmp_path}/outbox"
    assert read.carrier("smtp://mail:25") == "smtp://mail:25"
