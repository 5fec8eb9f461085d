"""The generated documents equal the code, and the written ones name what there is."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from services import SERVICES
from shared import metrics
from shared.language.events import EVENTS
from tests.architecture.sources import ROOT, log_events, trees
from tests.support.documents import documented_log_events
from vssid import command, documents

GENERATED = {path.name: path for path in documents.DOCUMENTS}
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if path.name not in GENERATED
)
OPERATE = (ROOT / "docs" / "operate.md").read_text("utf-8")
PLACE = re.compile(r"`((?:shared|services|tests|docs)/[\w./-]+)`")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"vssid ((?:[a-z]+ ?)+)")


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_document_equals_the_code(name):
    path = GENERATED[name]
    assert path.read_bytes() == documents.DOCUMENTS[path](), "run `make docs`"


@pytest.mark.parametrize(
    "name", sorted(GENERATED.keys() - {"listeners.json"})
)  # that one is for processes, not for readers
def test_every_generated_document_lies_in_the_folder_of_documents(name):
    """The one that the gateway serves is part of its package; the folder has a link to it."""
    assert (ROOT / "docs" / name).resolve() == GENERATED[name]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_files_that_there_are(page):
    text = (ROOT / page).read_text("utf-8")
    linked = {(ROOT / page).parent / target for target in LINK.findall(text)}
    named = {ROOT / place for place in PLACE.findall(text)}
    assert sorted(str(path.relative_to(ROOT)) for path in linked | named if not path.exists()) == []


def test_every_function_that_the_readme_names_is_where_it_says():
    """The way of a declaration: each `name` of a row is defined, or called, in one of the row's files."""
    missing = []
    for row in re.findall(r"(?m)^\| \d+[′″]* \|(.+)\|$", (ROOT / "README.md").read_text("utf-8")):
        files = [ROOT / place for place in PLACE.findall(row)]
        names = re.findall(r"`([a-z_]+)`", row.split("|")[0])
        text = "".join(path.read_text("utf-8") for path in files if path.is_file())
        missing += [name for name in names if files and not re.search(rf"\b{name}\(", text)]
    assert missing == []


def test_every_log_event_is_explained_to_operators():
    assert documented_log_events() == log_events()


def test_every_metric_is_explained_to_operators():
    names = {family.name + ("_total" if family.type == "counter" else "") for family in measured()}
    assert set(re.findall(r"(?m)^\| `(vssid_[a-z_]+)` \|", OPERATE)) == names


def measured():
    """Return what every metric of shared.metrics would tell Prometheus."""
    collectors = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    return [family for one in collectors for family in one.describe()]


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("docs/sources")])
def test_every_command_in_a_page_exists(page):
    found = {
        words.strip()
        for words in COMMAND.findall(
            " ".join(re.findall(r"`[^`]+`|(?m:^(?:docker.*)?vssid .*$)", (ROOT / page).read_text("utf-8")))
        )
    }
    assert [words for words in sorted(found) if not command_exists(words.split())] == []


def command_exists(words):
    """Follow words down the groups of `vssid` for as long as they are groups."""
    found = command.vssid
    for word in words:
        if not hasattr(found, "get_command"):
            return True  # the rest are arguments
        found = found.get_command(None, word)
        if found is None:
            return False
    return True


@pytest.mark.parametrize("page", PAGES)
def test_every_target_in_a_page_exists(page):
    named = set(re.findall(r"(?m)(?:`|^)make ([a-z]+)", (ROOT / page).read_text("utf-8")))
    assert named - targets() == set()


def targets():
    return set(re.findall(r"(?m)^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8")))


@pytest.mark.parametrize("page", ["README.md", "README.vi.md"])
def test_a_readme_lists_the_targets_of_the_makefile(page):
    assert set(re.findall(r"(?m)^\| `make ([a-z]+)` \|", (ROOT / page).read_text("utf-8"))) == targets()


def test_decisions_are_numbered_and_built_alike():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [path.name[:4] for path in pages]
    assert numbers == sorted(set(numbers)) and all(number.isdecimal() for number in numbers)
    for path in pages:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {path.name[:4]} "), path.name
        assert re.findall(r"(?m)^## (.+)$", text) == ["Context", "Options", "Decision", "Consequences"], path.name


def test_the_card_of_a_service_names_what_it_answers_hears_and_tells():
    """`services/<service>/__init__.py` is read first; it says no more and no less than the entrypoints do."""
    heard = documents.listeners()
    for service in SERVICES:
        card = parsed_card(service)
        if service != "gateway":
            answers = {name for name, one in documents.entrypoints(service) if type(one).__name__ == "Rpc"}
            assert words_of(card["answers"]) & answers == answers, service
            assert not {one for one in words_of(card["answers"]) if "_" in one} - answers, service
        hears = {one.event.__name__ for one in heard if one.service == service}
        assert {word for word in words_of(card["hears"]) if word[0].isupper()} == hears, service
        tells = {kind.__name__ for kind in EVENTS.values() if kind.speaker == service}
        assert {word for word in words_of(card["tells"]) if word[0].isupper()} == tells, service


def parsed_card(service):
    doc = import_module(f"services.{service}").__doc__
    return dict(re.findall(r"(?ms)^(owns|answers|hears|tells)\s+(.*?)(?=^\w|\Z)", doc))


def words_of(text):
    return set(re.findall(r"\w+", text))


def test_no_page_names_a_host_of_packages_or_a_folder_of_somebodys_machine():
    for path in (*(ROOT / page for page in PAGES), *(ROOT / "docs").glob("*.json")):
        assert not re.search(r"pypi|pythonhosted|/home/|/work/|/root/", path.read_text("utf-8")), path.name


def test_every_module_named_in_a_docstring_is_there():
    missing = []
    for path, tree in trees():
        doc = ast.get_docstring(tree) or ""
        missing += [
            f"{path}: {place}"
            for place in re.findall(r"\b((?:shared|services|docs|tests)/[\w/]+\.(?:py|md|json))", doc)
            if not Path(ROOT / place).exists()
        ]
    assert missing == []
