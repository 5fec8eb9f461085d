"""Each container may do what it needs: what docker-compose.yml gives it, and the secrets that .env gets."""

import re
import stat
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from deploy.environment import complete
from tests.support.processes import COMMAND, inherited
from vssid.healthcheck import ALIVE_SECONDS, MOST_SILENCES, READY_SECONDS

ROOT = Path(import_module("services").__file__).parents[1]
COMPOSE = (ROOT / "docker-compose.yml").read_text("utf-8")
CONTAINERS = yaml.safe_load(COMPOSE)["services"]
# to own its volume and to become the user postgres
CAPABILITIES = {"postgres": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]}
PINNED = re.compile(r".+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?")
SECRET = re.compile(r"\$\{([A-Z_]*(?:PASSWORD|KEY)[A-Z_]*)")
PASSWORD = "${MAILPIT_PASSWORD:?run make up, it completes .env with fresh secrets}"
READING = f"http://vssid:{PASSWORD}@mailpit:8025"
STATEFUL = ("registration", "approval", "notification", "cards")


def secrets_of(name):
    return set(SECRET.findall(str(CONTAINERS[name].get("environment", ""))))


def own(*names):
    return {f"{kind}_PASSWORD_{name.upper()}" for name in names for kind in ("DATABASE", "BROKER")}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_hardened_and_limited(name):
    one = CONTAINERS[name]
    assert (one["read_only"], one["cap_drop"], one["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert one.get("cap_add", []) == CAPABILITIES.get(name, [])
    assert one["mem_limit"] and one["pids_limit"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_an_image_is_pinned_by_version(name):
    image = CONTAINERS[name]["image"]
    assert image == "vssid-services" or PINNED.fullmatch(image), image


def test_the_image_of_the_services_is_built_on_a_pinned_one():
    bases = re.findall(r"(?m)^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"))
    assert bases and all(re.fullmatch(r"python:3\.\d+\.\d+-slim", base) for base in bases)


def test_nobody_is_guest_and_no_password_has_a_default():
    assert "guest" not in COMPOSE
    assert re.findall(r"\$\{[A-Z_]*(?:PASSWORD|SEAL_KEY|LINK_KEY)[A-Z_]*(?!:\?)[:}-][^?]", COMPOSE) == []


def test_rabbitmq_which_runs_as_another_user_can_read_its_definitions(tmp_path):
    file = tmp_path / "definitions.json"
    names = ("administrator", "registration", "approval", "notification", "cards", "gateway", "relay")
    environment = inherited() | {"BROKER_USERS": " ".join(f"{name}:secret-of-{name}" for name in names)}
    subprocess.run([COMMAND, "definitions", file], env=environment, check=True, capture_output=True, timeout=60)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert "secret-of" not in file.read_text("utf-8")


def test_each_secret_goes_to_those_who_need_it():
    assert {name: secrets_of(name) for name in CONTAINERS if secrets_of(name)} == {
        "definitions": {one for one in own(*STATEFUL, "gateway", "relay", "administrator") if "BROKER" in one},
        "postgres": {"POSTGRES_PASSWORD"},
        "migrate": {"POSTGRES_PASSWORD", "BROKER_PASSWORD_ADMINISTRATOR"}
        | {one for one in own(*STATEFUL, "relay") if "DATABASE" in one},
        "registration": {*own("registration"), "SEAL_KEY"},
        "approval": own("approval") | {"OFFICER_KEY", "JOURNAL_KEY"},
        "notification": {*own("notification"), "SEAL_KEY", "MAILPIT_PASSWORD"},
        "mailpit": {"MAILPIT_PASSWORD"},
        "smoke": {"MAILPIT_PASSWORD"},
        "cards": own("cards"),
        "gateway": {"BROKER_PASSWORD_GATEWAY", "LINK_KEY"},
        "relay": own("relay"),
    }


def test_the_inbox_asks_for_a_password_and_who_reads_it_has_it():
    assert CONTAINERS["mailpit"]["environment"]["MP_UI_AUTH"] == f"vssid:{PASSWORD}"
    assert CONTAINERS["smoke"]["environment"]["INBOX_URL"] == READING
    for name in ("SMS_URL", "MAIL_URL"):
        assert f"?lookup={READING}}}" in CONTAINERS["notification"]["environment"][name]


def test_what_starts_with_make_up_is_all_but_the_smoke_run():
    assert {name for name, one in CONTAINERS.items() if "profiles" in one} == {"smoke"}


def test_the_gateway_has_no_way_to_the_databases_and_only_those_who_read_it_one_to_the_inbox():
    members = {
        network: {name for name, one in CONTAINERS.items() if network in one.get("networks", ())}
        for network in ("database", "mail")
    }
    assert members == {
        "database": {"postgres", "migrate", *STATEFUL, "relay"},
        "mail": {"mailpit", "notification", "smoke"},
    }


def test_the_server_of_the_databases_logs_no_statement():
    told = {"log_statement=none", "log_min_messages=log", "log_min_error_statement=panic", "log_error_verbosity=terse"}
    assert {f"-c{one}" for one in told} <= set(CONTAINERS["postgres"]["command"])


def test_a_new_file_of_secrets_has_all_that_compose_asks_for_each_its_own_and_is_private(tmp_path):
    env = tmp_path / ".env"
    made = complete(env, ROOT / ".env.example")
    assert set(made) == set(SECRET.findall(COMPOSE))
    values = dict(line.split("=", 1) for line in env.read_text("utf-8").splitlines() if "=" in line)
    assert len({values[name] for name in made}) == len(made)
    assert all(len(values[name]) == 44 for name in made)
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert complete(env, ROOT / ".env.example") == []


def test_a_file_of_an_older_release_keeps_what_it_has_and_gets_what_it_lacks(tmp_path):
    env = tmp_path / ".env"
    old = "# ours\nPOSTGRES_PASSWORD=old=\nSEAL_KEY=\nLINK_KEY=kept\nAWS_SECRET_ACCESS_KEY=\nHTTP_PORT=80\n"
    env.write_text(old, "utf-8")
    made = complete(env, ROOT / ".env.example")
    assert set(made) == set(SECRET.findall(COMPOSE)) - {"POSTGRES_PASSWORD", "LINK_KEY"}
    lines = env.read_text("utf-8").splitlines()
    kept = ["# ours", "POSTGRES_PASSWORD=old=", "LINK_KEY=kept", "AWS_SECRET_ACCESS_KEY=", "HTTP_PORT=80"]
    assert [line for line in lines if line in kept] == kept
    assert [line for line in lines if line.startswith("SEAL_KEY=")] != ["SEAL_KEY="]


def test_the_log_of_every_container_is_bounded():
    assert {
        name for name, one in CONTAINERS.items() if "max-size" not in one.get("logging", {}).get("options", {})
    } == set()


def test_a_service_that_hangs_is_ended_within_half_a_minute():
    for name in (*STATEFUL, "gateway", "relay"):
        check = CONTAINERS[name]["healthcheck"]
        assert check["test"] == ["CMD", "python", "-m", "vssid.healthcheck"]
        seconds = {key: int(check[key].removesuffix("s")) for key in ("interval", "timeout")}
        assert (seconds["interval"] + ALIVE_SECONDS) * MOST_SILENCES <= 30
        assert seconds["timeout"] > ALIVE_SECONDS + READY_SECONDS
        assert CONTAINERS[name]["restart"] == "unless-stopped"
