"""Clients generated from the document compile, and do the main job against a running system."""

import compileall
import importlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.gateway.routes.operations import DOCUMENT
from tests.support.people import OFFICER, PURPOSES
from tests.support.pictures import PICTURE
from tests.support.waiting import until

GENERATOR = Path(sys.executable).with_name("openapi-python-client")
BINARY = ("application/pdf", "image/jpeg", "image/png", "image/webp")
CONFIGURATION = {"post_hooks": [], "content_type_overrides": dict.fromkeys(BINARY, "application/octet-stream")}
PACKAGES = ("openapi-typescript@7", "typescript@5")
PROGRAM = """
import type { components, operations, paths } from "./api";

type Declaration = components["schemas"]["DeclarationForm"];
type Submitted = paths["/api/v1/declarations"]["post"]["responses"][201]["content"]["application/json"];
type Search = NonNullable<operations["list_reviews"]["parameters"]["query"]>;

export function form(photos: Declaration["photos"]): Declaration {
  return {
    kind: "register",
    insurance_code: "7900000017",
    full_name: "Trần Thị Mẫu",
    id_document: { type: "cccd", number: "079185000017" },
    address: { province_code: "79", street: "12/3 đường Thử Nghiệm" },
    phone: "0912345678",
    email_copy: false,
    agency_code: "07921",
    photos,
    terms_accepted: true,
    commitment: true,
  };
}
export const search: Search = { status: "pending", limit: 50 };
export const words = (said: Submitted): string => `${said.number} ${said.tracking_code} ${said.agency.name}`;
"""
WRONG_PROGRAM = PROGRAM.replace('status: "pending"', 'status: "open"')


@pytest.fixture(scope="module")
def client_package(tmp_path_factory):
    """Return a function that imports a module of the generated Python client."""
    folder = tmp_path_factory.mktemp("client")
    package, configuration = folder / "vssid_client", folder / "configuration.json"
    configuration.write_text(json.dumps(CONFIGURATION))
    command = [GENERATOR, "generate", "--path", str(DOCUMENT), "--output-path", package, "--meta", "none"]
    done = subprocess.run([*command, "--config", configuration], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "WARNING" in done.stdout) == (0, False), done.stdout + done.stderr
    assert compileall.compile_dir(package, quiet=1)
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"vssid_client.{name}")
    sys.path.remove(str(folder))


def test_a_generated_python_client_takes_a_declaration_from_upload_to_approval(system, client_package):
    models, client = client_package("models"), client_package("client").Client(base_url=system.url)
    photos = {purpose: uploaded(client_package, client, purpose) for purpose in PURPOSES}
    form = models.DeclarationForm.from_dict(system.newcomer().declaration(photos))
    submitted = client_package("api.public.submit_declaration").sync(client=client, body=form)
    assert (type(submitted), submitted.status) == (models.SubmittedView, models.SubmittedViewStatus.PENDING)

    sign_in = models.SignInForm(username=OFFICER.username, password=OFFICER.password)
    opened = client_package("api.officer.sign_in").sync(client=client, body=sign_in)
    officer = client_package("client").AuthenticatedClient(base_url=system.url, token=opened.token)
    get_review = client_package("api.officer.get_review").sync
    until(lambda: isinstance(get_review(submitted.number, client=officer), models.ReviewMessagesView), "the review")
    decision = client_package("api.officer.approve_declaration").sync(
        submitted.number,
        client=officer,
        body=models.ApprovalForm(identity_checked=True, tracking_code=submitted.tracking_code),
    )
    assert decision == models.DecisionView(status=models.DecisionViewStatus.APPROVED)

    def status():
        found = client_package("api.public.get_declaration").sync(
            submitted.number, client=client, tracking_code=submitted.tracking_code
        )
        return found.status

    until(lambda: status() == models.DeclarationViewStatus.APPROVED, "the applicant sees the approval")


def uploaded(client_package, client, purpose):
    models, types = client_package("models"), client_package("types")
    picture = types.File(payload=io.BytesIO(PICTURE), file_name="anh.jpg", mime_type="image/jpeg")
    body = models.UploadMultipart(purpose=models.UploadMultipartPurpose(purpose), file=picture)
    return client_package("api.public.store_upload").sync(client=client, body=body).upload_id


def test_a_generated_python_client_returns_a_refusal_as_a_problem(system, client_package):
    models, client = client_package("models"), client_package("client").Client(base_url=system.url)
    found = client_package("api.public.get_declaration").sync("2026-9999999", client=client, tracking_code="AAAAAAAAAA")
    assert (type(found), found.code, found.status) == (models.Problem, "not_found", models.ProblemStatus.VALUE_404)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Return a folder with the generated types and a function that runs a command of the installed packages there."""
    if shutil.which("npm") is None:
        pytest.skip("Node is not installed")
    folder = tmp_path_factory.mktemp("node")
    options = {"cwd": folder, "capture_output": True, "text": True}
    install = ["npm", "install", "--no-fund", "--no-audit", "--ignore-scripts", *PACKAGES]
    try:
        installed = subprocess.run(install, **options, timeout=90)
    except subprocess.TimeoutExpired:
        pytest.skip("the registry of Node packages does not answer")
    if installed.returncode:
        pytest.skip(f"the registry of Node packages does not give the packages: {installed.stderr[-300:]}")

    def run(name, *arguments):
        return subprocess.run([folder / "node_modules" / ".bin" / name, *arguments], **options, timeout=60)

    made = run("openapi-typescript", str(DOCUMENT), "-o", "api.d.ts")
    assert made.returncode == 0, made.stdout + made.stderr
    return folder, run


@pytest.mark.parametrize(("program", "outcome"), [(PROGRAM, 0), (WRONG_PROGRAM, 2)], ids=["right", "wrong"])
def test_generated_typescript_types_check_a_program(node, program, outcome):
    folder, run = node
    (folder / "program.ts").write_text(program, "utf-8")
    checked = run("tsc", "--noEmit", "--strict", "--target", "es2022", "--moduleResolution", "node10", "program.ts")
    assert checked.returncode == outcome, checked.stdout
