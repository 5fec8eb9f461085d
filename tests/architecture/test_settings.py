"""Every setting stands in .env.example, in docker-compose.yml where it is needed, and in docs/operate.md."""

import ast
import dataclasses
import inspect
import re
import textwrap
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from services import SERVICES
from services.gateway.limits import REQUEST_LIMITS
from shared.settings import Settings
from tests.architecture.sources import trees
from vssid import documents
from vssid.startup import STATEFUL

ROOT = Path(import_module("services").__file__).parents[1]
COMPOSE = (ROOT / "docker-compose.yml").read_text("utf-8")
CONTAINERS = yaml.safe_load(COMPOSE)["services"]
COMPOSE_ONLY = (
    *("POSTGRES_PASSWORD", "HTTPS_HOST", "HTTPS_PORT", "CERTIFICATE_DIR"),
    *(f"DATABASE_PASSWORD_{name.upper()}" for name in (*STATEFUL, "relay")),
    *(f"BROKER_PASSWORD_{name.upper()}" for name in ("administrator", *SERVICES, "relay")),
    *("MAILPIT_PASSWORD", "MAILPIT_PORT", "RABBITMQ_CONSOLE_PORT"),
)
SETTINGS = {one.name: one for one in dataclasses.fields(Settings)}
NAMES = [name.upper() for name in SETTINGS]
# what every process reads, whatever it serves: listening, logging, the broker
EVERYWHERE = {"amqp_url", "http_host", "http_port", "log_level", "broker_prefix"}
# what a class of shared.framework reads for the service that names it
PROVIDED = {
    "DatabaseProvider": {"database_url", "database_timeout", "workers"},
    "FilesProvider": {"store_url", "var_dir"},
    "SealProvider": {"seal_key"},
    "listen": {"retry_delays", "workers"},
    "rpc": {"workers"},
    "RpcProxyProvider": {"rpc_deadline"},
    "route": {"gateway_workers"},
}


def example():
    """Return (name, comment, value) of every entry of .env.example."""
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    entries = [(number, line) for number, line in enumerate(lines) if line and not line.startswith("#")]
    return [(*line.partition("=")[::2], lines[number - 1].removeprefix("# ")) for number, line in entries]


def properties():
    """Return the settings that each property of Settings reads."""
    found = {}
    for name, one in vars(Settings).items():
        read = getattr(one, "fget", None) or getattr(one, "func", None) or (one if inspect.isfunction(one) else None)
        if read is not None and not name.startswith("_"):
            tree = ast.parse(textwrap.dedent(inspect.getsource(read)))
            attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            found[name] = attributes
    return found


def resolved(names):
    """Return the settings behind names of settings and of properties, however deep."""
    derived, found, todo = properties(), set(), set(names)
    while todo:
        name = todo.pop()
        if name in SETTINGS:
            found.add(name)
        elif name in derived:
            todo |= derived[name]
    return found


def needed(service):
    """Return the settings that a service reads: by itself, and through what it takes from shared.framework."""
    names, provided = set(), set()
    for path in (ROOT / "services" / service).rglob("*.py"):
        if "commands" in path.parts or path.name == "commands.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).split(".")[-1] in ("settings", "configured"):
                names.add(node.attr)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "SettingProvider":
                names.add(node.args[0].value)
            elif isinstance(node, ast.Name) and node.id in PROVIDED:
                provided |= PROVIDED[node.id]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "every" and not node.args:
                names.add("timer_seconds")
    if service == "gateway":
        names |= {f"limit_{name}" for name in REQUEST_LIMITS}  # read by name
    return resolved(names) | provided | EVERYWHERE


def test_the_example_holds_every_setting_once_with_its_default_and_what_it_is_for():
    expected = [(name.upper(), documents.written(one.default), one.metadata["about"]) for name, one in SETTINGS.items()]
    assert [entry for entry in example() if entry[0] not in COMPOSE_ONLY] == expected


def test_the_example_holds_these_names_for_compose_alone():
    assert [name for name, _, about in example() if about.startswith("compose only: ")] == list(COMPOSE_ONLY)
    assert all(f"${{{name}" in COMPOSE for name in COMPOSE_ONLY)


def test_what_a_service_takes_from_the_framework_is_looked_for_by_the_names_it_has():
    """Renamed there and not here, the settings behind it would be missed."""
    names = {
        one.name for _, tree in framework() for one in tree.body if isinstance(one, ast.ClassDef | ast.FunctionDef)
    }
    assert {*PROVIDED, "SettingProvider", "every"} - names == set()


def framework():
    return [(path, tree) for path, tree in trees() if path.startswith("shared/framework/")]


@pytest.mark.parametrize("service", SERVICES)
def test_compose_passes_every_setting_that_a_service_needs(service):
    passed = {name.lower() for name in CONTAINERS[service]["environment"]}
    assert sorted(needed(service) - passed) == []


def test_compose_passes_every_setting_to_somebody():
    passed = {name for service in CONTAINERS.values() for name in service.get("environment", ())}
    assert sorted(set(NAMES) - passed) == []


def test_compose_leaves_a_default_to_the_service():
    """A default written a second time in docker-compose.yml would drift from the code's."""
    written = re.findall(r"\$\{([A-Z_]+):-([^${}]+)\}", COMPOSE)
    own = {"HTTP_PORT", "SMS_URL", "MAIL_URL", *COMPOSE_ONLY}  # compose's own ports and inbox
    assert [name for name, _ in written if name not in own] == []


def test_the_keys_go_to_those_who_need_them_and_to_nobody_else():
    def holders(name):
        return {service for service, one in CONTAINERS.items() if name in one.get("environment", ())}

    assert holders("SEAL_KEY") == {"registration", "notification"}
    assert holders("LINK_KEY") == {"gateway"}
    assert holders("OFFICER_KEY") == {"approval"}
    assert holders("REGISTER_TOKEN") == {"approval"}
    assert holders("JOURNAL_KEY") == {"approval"}


def test_the_operators_page_shows_the_settings_as_they_are():
    section = documents.SETTINGS_SECTION.search(documents.OPERATE.read_text("utf-8"))
    assert section and section[0] == documents.settings_table(), "run `make docs`"


def test_both_readmes_are_built_alike():
    def shape(page):
        text = (ROOT / page).read_text("utf-8")
        headings = re.findall(r"(?m)^#+ ", text)
        return headings, re.findall(r"(?m)^```\w*", text), len(re.findall(r"(?m)^(?:\||- )", text))

    assert shape("README.md") == shape("README.vi.md")
