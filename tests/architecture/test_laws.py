"""The laws (docs/decisions/0001): what a reader may rely on without looking."""

import ast
import dataclasses
import inspect
import re
import statistics
from enum import StrEnum
from importlib import import_module

import pytest

from services import SERVICES
from services.approval.domain.register import Match
from services.gateway.phrases import CODES, FIELDS, TITLES
from services.registration.domain.declaration import ID_NUMBERS
from shared import forms
from shared.framework.http import Route
from shared.framework.rpc import PING, Rpc
from shared.language import errors
from shared.language.events import EVENTS
from tests.architecture.sources import ROOT, calls, dotted, log_calls, trees
from vssid import documents
from vssid.startup import service_class

MODULES = {
    "__init__",
    "domain",
    "handlers",
    "models",
    "schemas",
    "clients",
    "media",
    "commands",
    "service",
    "migrations",
}
NOTIFICATION_MODULES = MODULES | {"delivery", "templates"}  # how messages are sent, and the templates of mails
GATEWAY_MODULES = {
    *("__init__", "service", "routes", "pages", "templates", "static", "identity"),
    *("bodies", "limits", "problems", "phrases"),  # docs/decisions/0001
}
NOT_A_NAME = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}
PERSONAL = {
    *("name", "full_name", "phone", "email", "insurance_code", "number", "password", "token", "recipient", "text"),
    *("body", "contact", "address", "id_document", "otp", "to", "subject", "payload", "form"),
}
PROBLEMS = {kind.__name__: kind for kind in errors.KINDS.values()} | {"Problem": errors.Problem}
# Codes that an expression stands for; an expression that is not here is an unknown code, and the law says so.
SPELLED = {
    "match": set(map(str, Match)) - {str(Match.MATCHES), str(Match.UNAVAILABLE)},
    "f'not_a_{document.type}'": {f"not_a_{kind}" for kind in ID_NUMBERS},
    "str(messages[0])": {forms.REQUIRED, forms.NULL, forms.WRONG_TYPE, forms.UNKNOWN},
    "messages[0].code": set(),  # refused elsewhere, passed on
    "str(self.error)": set(),  # given where the validator is made
    "self.code": set(),  # given where the field is declared
    "code": set(),  # an argument: given by who calls
    "forms.WRONG_TYPE": {forms.WRONG_TYPE},
    "WRONG_TYPE": {forms.WRONG_TYPE},
}
FALLBACK = {"invalid"}  # the phrase for a field code nobody knows (services/gateway/problems.py)
# a code's place among the arguments: of a problem the first, of a field the second
CODE_AT = {
    **dict.fromkeys(PROBLEMS, 0),
    "FieldError": 1,
    "refuse": 0,
    "refuse_field": 1,
    "_bad_number": 0,
    "Code": 1,
    "Matches": 1,
}


# listeners and events


def test_a_listener_is_named_on_event():
    """Its name is the name of its queue: another would strand what lies there."""
    assert [one for one in documents.listeners() if one.method != f"on_{one.event.name}"] == []


def test_every_event_has_a_listener():
    assert set(EVENTS.values()) - {one.event for one in documents.listeners() if not one.is_retired} == set()


NOT_NEEDED = {
    "notification": {"id_document", "address", "photos", "birth_date", "gender"},
    "cards": {"id_document", "address", "photos", "contact", "tracking_code", "sealed_password"},
}


@pytest.mark.parametrize("service", NOT_NEEDED)
def test_no_event_that_a_service_hears_carries_what_it_does_not_need(service):
    """A field with a default is one of older versions: what they announced is still heard."""
    carried = {
        (one.event.__name__, field.name)
        for one in documents.listeners()
        if one.service == service and not one.is_retired
        for field in dataclasses.fields(one.event)
        if field.default is dataclasses.MISSING
    }
    assert carried and {name for _, name in carried} & NOT_NEEDED[service] == set()


def test_every_event_is_told_by_its_speaker_and_by_nobody_else():
    made = {
        (path.split("/")[1], name.rpartition(".")[2])
        for path, tree in trees()
        if path.startswith("services/")
        for name, _ in calls(tree)
        if name.rpartition(".")[2] in {kind.__name__ for kind in EVENTS.values()}
    }
    assert made == {(kind.speaker, kind.__name__) for kind in EVENTS.values()}


def test_every_service_announces_only_what_its_rules_return():
    """An event is made in the domain; a handler gives it to `announce`."""
    outside = [
        f"{path}: {name}"
        for path, tree in trees()
        if path.startswith("services/") and "/domain" not in path
        for name, _ in calls(tree)
        if name in {kind.__name__ for kind in EVENTS.values()}
    ]
    assert outside == []


def test_an_event_says_in_one_sentence_what_happened():
    for kind in EVENTS.values():
        assert inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].endswith("."), kind.__name__


# calls between the gateway and the services


def remote_calls():
    """Return (where, service, method, names of arguments) of every call the gateway makes to a service."""
    found = []
    for path, tree in trees():
        if path.startswith("services/gateway/"):
            proxies = {name: name for name in SERVICES} | proxy_methods(tree)
            for name, call in calls(tree):
                match = re.fullmatch(r"self\.(\w+)(?:\(\))?(?:\.within\(\))?\.(\w+)", name)
                if match and match[1] in proxies and match[2] != "within":
                    found.append(
                        (f"{path}:{call.lineno}", proxies[match[1]], match[2], {one.arg for one in call.keywords})
                    )
    return found


def proxy_methods(tree):
    """Return methods that return a proxy: ``def _asking_register(self): return self.approval.within(…)``."""
    return {
        function.name: dotted(function.body[-1].value).split(".")[1]
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and isinstance(function.body[-1], ast.Return)
        and re.fullmatch(rf"self\.({'|'.join(SERVICES)})\.within\(\)", dotted(function.body[-1].value or function))
    }


def rpc_methods():
    """Return {(service, method): names of arguments} of everything services answer."""
    return {
        (service, name): inspect.signature(getattr(service_class(service), name)).parameters
        for service in SERVICES
        for name, entrypoint in documents.entrypoints(service)
        if isinstance(entrypoint, Rpc)
    }


def test_every_call_of_the_gateway_finds_its_method_and_arguments():
    known = rpc_methods()
    for where, service, method, given in remote_calls():
        assert (service, method) in known, f"{where}: {service} answers no {method}"
        parameters = {name: one for name, one in known[service, method].items() if name != "self"}
        required = {name for name, one in parameters.items() if one.default is one.empty}
        assert required <= given <= set(parameters), where


def test_everything_a_service_answers_is_called():
    assert set(rpc_methods()) - {(service, method) for _, service, method, _ in remote_calls()} == set()


def test_every_call_with_an_officer_s_token_names_its_permission():
    """The entrypoint hands the token to a handler, and that names what the role must permit."""
    handlers = {
        f"{path.rpartition('/')[2].removesuffix('.py')}.{node.name}": {
            name for name, _ in attributes(node) if name.startswith("Permission.")
        }
        for path, tree in trees()
        if path.startswith("services/approval/handlers/")
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and "token" in {one.arg for one in node.args.args}
    }
    service = next(tree for path, tree in trees() if path == "services/approval/service.py")
    methods = {node.name: node for node in ast.walk(service) if isinstance(node, ast.FunctionDef)}
    asked = [name for service, name in rpc_methods() if service == "approval" and "token" in arguments(methods[name])]
    unnamed = [name for name in asked if not any(handlers.get(one) for one, _ in attributes(methods[name]))]
    assert len(asked) >= 13
    assert unnamed == []


def arguments(function):
    return {one.arg for one in function.args.args}


def attributes(tree):
    return [(ast.unparse(node), node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]


def test_no_method_is_called_like_the_ping():
    assert [name for _, name in rpc_methods() if name == PING] == []


# refusals and their phrases


def codes_in(path, tree):
    """Return {code: where} of every code that a module refuses with."""
    found = {}
    for name, call in calls(tree):
        kind = name.rpartition(".")[2]
        if kind not in CODE_AT:
            continue
        place = CODE_AT[kind]
        named = (one.value for one in call.keywords if one.arg == "code")
        code = call.args[place] if len(call.args) > place else next(named, None)
        if code is None and kind in PROBLEMS:
            found[PROBLEMS[kind].default_code] = f"{path}:{call.lineno}"
        elif code is not None:
            found |= dict.fromkeys(spelled(code, f"{path}:{call.lineno}"), f"{path}:{call.lineno}")
    found |= {PROBLEMS[kind].default_code: path for kind in raised_bare(tree)}
    return found | dict.fromkeys(given_codes(tree), path)


def spelled(code, where):
    if isinstance(code, ast.Constant):
        return {code.value}
    written = ast.unparse(code)
    assert written in SPELLED, f"{where}: which codes can {written} be? Say so in SPELLED"
    return SPELLED[written]


def raised_bare(tree):
    """Return the names of problems raised as a class: ``raise NotFound``."""
    raised = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise))
    return {one.id for one in raised if isinstance(one, ast.Name) and one.id in PROBLEMS}


def given_codes(tree):
    """Yield codes given by keyword (``code="not_a_name"``), or as messages (``{"invalid": "not_a_date"}``)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (
                one.value.value
                for one in node.keywords
                if one.arg in ("code", "error")
                and isinstance(one.value, ast.Constant)
                and isinstance(one.value.value, str)
            )
        elif isinstance(node, ast.AnnAssign) and dotted(node.target).endswith("error_messages"):
            yield from (one.value for one in getattr(node.value, "values", ()) if isinstance(one, ast.Constant))


def answering():
    """Services that answer calls, and the gateway: only their refusals reach a person."""
    return {service for service, _ in rpc_methods()} | {"gateway"}


def codes():
    """Return {code: where} of every code that can reach a person."""
    found = {one.default_code: "shared/language/errors.py" for one in PROBLEMS.values() if one is not errors.Refused}
    for path, tree in trees():
        service = path.split("/")[1]
        if path.startswith("shared/") or service in answering():
            found = codes_in(path, tree) | found
    return {code: where for code, where in found.items() if code}


def test_every_code_has_its_phrases():
    assert {code: where for code, where in codes().items() if code not in CODES and code not in FIELDS} == {}


def test_no_phrase_is_without_a_code():
    assert sorted((set(CODES) | set(FIELDS)) - set(codes()) - FALLBACK) == []


def test_no_code_has_two_phrases():
    assert set(CODES) & set(FIELDS) == set()


def test_a_rule_says_no_with_a_code_of_its_own():
    """`Refused` has no phrase for its default: each rule is named."""
    bare = [path for path, tree in trees() if "Refused" in raised_bare(tree)]
    assert bare == []


@pytest.mark.parametrize("phrases", [CODES, FIELDS, TITLES], ids=["codes", "fields", "titles"])
def test_a_phrase_is_said_in_both_languages_with_the_same_values(phrases):
    for code, said in phrases.items():
        vietnamese, english = said
        assert vietnamese and english and vietnamese != english, code
        assert set(re.findall(r"{(\w+)}", vietnamese)) == set(re.findall(r"{(\w+)}", english)), code


def test_every_status_has_its_title():
    assert {kind.status for kind in PROBLEMS.values()} == set(TITLES)


def test_what_a_route_says_it_refuses_with_is_refused_somewhere():
    known = codes()
    for name, one in routes():
        assert [refusal.code for refusal in one.operation.refuses if refusal.code not in known] == [], name


def routes():
    return [(name, one) for name, one in documents.entrypoints("gateway") if isinstance(one, Route)]


def test_a_route_refuses_with_the_class_that_is_raised():
    """Where a rule raises `Refused("x")`, a route that says `NotFound.codes("x")` would document another status."""
    raised = raised_statuses()
    wrong = [
        f"{name}: {refusal}"
        for name, one in routes()
        for refusal in one.operation.refusals
        if refusal.code in raised and refusal.status not in raised[refusal.code]
    ]
    assert wrong == []


def raised_statuses():
    """Return {code: statuses} of every code that is raised by name."""
    found = {}
    for _, tree in trees():
        for name, call in calls(tree):
            kind = PROBLEMS.get(name.rpartition(".")[2])
            if kind is not None and call.args and isinstance(call.args[0], ast.Constant):
                found.setdefault(call.args[0].value, set()).add(kind.status)
    return found


def test_a_route_describes_each_parameter_of_its_path():
    for name, one in routes():
        described = [parameter.name for parameter in one.operation.parameters if parameter.where == "path"]
        assert re.findall(r"<string:(\w+)>", one.url) == described, name


# modules, names, sizes


@pytest.mark.parametrize("service", SERVICES)
def test_the_modules_of_a_service_are_a_closed_list(service):
    folder = ROOT / "services" / service
    found = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()} - {"__pycache__"}
    allowed = {"gateway": GATEWAY_MODULES, "notification": NOTIFICATION_MODULES}
    assert found - allowed.get(service, MODULES) == set()


def test_what_stands_beside_the_services_is_a_closed_list_too():
    found = {path.stem for path in (ROOT / "services").glob("*.py")}
    assert found == {"__init__"}
    assert {path.name for path in (ROOT / "services").iterdir() if path.is_dir()} - {"__pycache__"} == set(SERVICES)


def test_no_module_is_empty():
    for path, tree in trees():
        folder = (ROOT / path).parent
        if path.endswith("__init__.py") and path.count("/") > 2:
            assert len(tree.body) > 1 or len(list(folder.glob("*.py"))) > 1, path


def test_no_file_is_named_after_nothing():
    named = [path for path, _ in trees() if NOT_A_NAME & set(re.split(r"[/._]", path))]
    assert named == []


def test_every_module_opens_with_what_it_is_for():
    assert [path for path, tree in trees() if len(ast.get_docstring(tree) or "") < len("Accounts.")] == []


def functions():
    """Return (lines, where) of every function: from its `def` to its last line, without the docstring."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                doc = node.body[0] if ast.get_docstring(node) else None
                yield lines - ((doc.end_lineno - doc.lineno + 1) if doc else 0), f"{path}:{node.lineno} {node.name}"


def test_functions_are_short(capsys):
    """One thought a function: a median of at most 11 lines, nine in ten under 40 (examples.md of the design)."""
    sizes = sorted(functions())
    lines = [size for size, _ in sizes]
    median, ninth = statistics.median(lines), lines[int(len(lines) * 0.9)]
    with capsys.disabled():
        print(f"\n{len(lines)} functions, median {median:g} lines, nine in ten under {ninth + 1}, longest {sizes[-1]}")
    assert median <= 11
    assert ninth < 40


def test_handlers_are_plain_functions_with_the_session_first():
    for path, tree in trees():
        if re.match(r"services/\w+/handlers", path):
            assert not [node for node in tree.body if isinstance(node, ast.ClassDef)], path
            for node in tree.body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and asks_for_a_session(node):
                    assert node.args.args[0].arg == "session", f"{path}:{node.lineno}"


def asks_for_a_session(function):
    return any(one.arg == "session" for one in function.args.args)


def test_rules_and_handlers_do_not_ask_the_clock_or_the_environment_and_do_not_log():
    forbidden = re.compile(r"(?:.*\.)?(?:utc_now|now|utcnow|time|monotonic|getenv|today)|logs\.log|settings\.read")
    found = [
        f"{path}:{call.lineno} {name}"
        for path, tree in trees()
        if re.match(r"services/\w+/(?:domain|handlers)", path)
        for name, call in calls(tree)
        if forbidden.fullmatch(name)
    ]
    assert found == []


def test_the_day_is_vietnams():
    """Between midnight and seven it is another day there than UTC's: nobody takes the day, or the year, of a moment."""
    parts = {"year", "month", "day", "hour", "weekday", "isoweekday", "date"}
    moments = {"at", "now", "moment", "utc_now", "submitted_at", "expires_at", "decided_at", "received_at"}
    found = [
        f"{path}: {ast.unparse(node)}"
        for path, tree in trees()
        if path != "shared/language/clock.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in parts
        and {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} & moments
        and not (isinstance(node.value, ast.Call) and ast.unparse(node.value).startswith("vietnam_day("))
    ]
    assert found == []


def test_only_entrypoints_commit():
    found = [
        f"{path}:{call.lineno}"
        for path, tree in trees()
        if re.match(r"services/\w+/(?:domain|handlers|models)", path)
        for name, call in calls(tree)
        if name.rpartition(".")[2] in ("commit", "rollback", "begin")
    ]
    assert found == []


def test_queries_stand_in_models():
    found = [
        f"{path}:{call.lineno}"
        for path, tree in trees()
        if path.startswith("services/") and "/models" not in path and "/migrations/" not in path
        for name, call in calls(tree)
        if name in ("sa.select", "sa.insert", "sa.update", "sa.delete", "select")
    ]
    assert found == []


def test_states_and_choices_are_words():
    """An enumeration's value is what stands in databases and on the wire."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(dotted(one) in ("Enum", "IntEnum") for one in node.bases):
                raise AssertionError(f"{path}:{node.lineno}: {node.name} is no {StrEnum.__name__}")


def test_no_comment_divides_a_file_into_banners():
    for path, _ in trees():
        banners = re.findall(r"(?m)^\s*#\s*[-=#*]{3,}.*$", (ROOT / path).read_text("utf-8"))
        assert banners == [], path


# logs


def test_a_log_line_has_a_static_name():
    for where, call in log_calls():
        assert call.args and isinstance(call.args[0], ast.Constant), where
        assert re.fullmatch(r"[a-z]+(?:_[a-z]+)*", call.args[0].value), where
        assert len(call.args) == 1, where


def test_a_log_line_holds_nothing_of_a_person():
    for where, call in log_calls():
        assert {one.arg for one in call.keywords} & PERSONAL == set(), where
        assert all(one.arg for one in call.keywords), f"{where}: ** hides what is logged"


def test_there_are_log_lines_to_look_at():
    """The two laws above would also hold over nothing."""
    assert {"request_answered", "message_attempted", "event_failed"} <= {call.args[0].value for _, call in log_calls()}


def test_nothing_is_printed_but_by_commands():
    prints = [f"{path}:{call.lineno}" for path, tree in trees() for name, call in calls(tree) if name == "print"]
    assert prints == []


# what is installed


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_host_and_every_hash(lock):
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    pinned = re.findall(r"(?m)^([\w.-]+)(?:\[[\w,-]+\])?==(?:.|\\\n)*", text)
    blocks = re.split(r"(?m)^(?=\S+==)", text)[1:]
    assert pinned and all("--hash=sha256:" in block for block in blocks)


def test_every_service_has_its_card():
    for service in SERVICES:
        doc = import_module(f"services.{service}").__doc__ or ""
        assert re.findall(r"(?m)^(owns|answers|hears|tells) ", doc) == ["owns", "answers", "hears", "tells"], service
