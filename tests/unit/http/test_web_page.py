"""The page at `/ui`: what is served, under which headers, and that its files refer to no other host."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from rag.errors import all_errors
from rag.http.bodies.note_codes import codes as note_codes
from rag.http.pages.web_page import FOLDER, HEADERS, PDF_WORKER, WebPage, compacted, static_files
from rag.readers.reading_report import PLACES
from rag.readers.reading_report import TEXTS as WARNINGS
from rag.records.job_step import TEXTS as STEPS
from rag.retrieve.planning.planner import FAILURES, PARTS
from tests.support.metric_values import definitions

ROOT = Path(__file__).resolve().parents[3]
VENDOR = FOLDER / "vendor"
PDFJS = VENDOR / "pdfjs"
OWN_FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file() and VENDOR not in path.parents)
NAMESPACE = "http://www.w3.org/2000/svg"
"""A name that looks like an address; nothing is loaded from it."""


@pytest.fixture(scope="module")
def vendor_ui() -> Any:
    spec = importlib.util.spec_from_file_location("vendor_ui", ROOT / "scripts" / "vendor_ui.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def client() -> TestClient:
    inner = Starlette(
        routes=[Route("/{path:path}", lambda request: PlainTextResponse("inner"), methods=["GET", "POST"])]
    )
    return TestClient(WebPage(inner))


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/ui", "text/html; charset=utf-8"),
        ("/ui/app.css", "text/css; charset=utf-8"),
        ("/ui/js/main.js", "text/javascript; charset=utf-8"),
        ("/ui/vendor/preact.mjs", "text/javascript; charset=utf-8"),
        ("/ui/vendor/vendor.json", "application/json"),
        ("/ui/icon.svg", "image/svg+xml"),
        ("/ui/vendor/pdfjs/wasm/jbig2.wasm", "application/wasm"),
        ("/ui/vendor/pdfjs/cmaps/UniGB-UCS2-H.bcmap", "application/octet-stream"),
    ],
)
def test_files_have_their_types_and_the_policy(client: TestClient, path: str, media_type: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    for name, value in HEADERS.items():
        assert response.headers[name] == value


def test_the_policy_admits_no_inline_code_and_no_other_host() -> None:
    policy = HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*|data:|blob:", policy)


def test_a_file_that_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    etag = client.get("/ui").headers["etag"]
    response = client.get("/ui", headers={"if-none-match": etag})
    assert (response.status_code, response.content) == (304, b"")


def test_a_head_request_has_the_headers_only(client: TestClient) -> None:
    response = client.head("/ui")
    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) > 0


def test_a_slash_leads_to_the_page(client: TestClient) -> None:
    assert client.get("/ui/", follow_redirects=False).headers["location"] == "../ui"
    assert client.get("/ui/").headers["content-type"].startswith("text/html")


def test_the_rules_of_the_later_views_apply_to_no_other_view() -> None:
    text = re.sub(r"/\*.*?\*/", "", (FOLDER / "views.css").read_text(encoding="utf-8"), flags=re.S)
    for selector in re.findall(r"([^{};]+)\{", text):
        assert selector.strip().startswith((".page", "@media", ":root", ".view:has(> .page)", ".top ")), selector


@pytest.mark.parametrize(
    "path", ["/ui/nothing.js", "/ui/../error_table.py", "/ui/%2e%2e/error_table.py", "/uix", "/v1/files"]
)
def test_other_paths_are_passed_on(client: TestClient, path: str) -> None:
    assert client.get(path).text == "inner"


def test_other_methods_are_passed_on(client: TestClient) -> None:
    assert client.post("/ui").text == "inner"


def test_every_file_of_the_page_is_served() -> None:
    for path in FOLDER.rglob("*"):
        if path.is_file():
            assert f"/ui/{path.relative_to(FOLDER).as_posix()}" in static_files()


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: path.name)
def test_our_own_files_refer_to_no_other_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace(NAMESPACE, "")
    assert not re.search(r"""["'(]\s*(?:https?:)?//[\w.]""", text)


def imports(path: Path, *, dynamic: bool = False) -> list[str]:
    pattern = r"""\bimport\(["']([^"'\s]+)["']\)""" if dynamic else r"""(?:\bfrom|^import)\s?["']([^"'\s]+)["']"""
    return re.findall(pattern, path.read_text(encoding="utf-8"), re.M)


def test_scripts_import_files_that_exist() -> None:
    for path in FOLDER.rglob("*.*js"):
        for target in imports(path) + (imports(path, dynamic=True) if path in OWN_FILES else []):
            assert target.startswith("."), f"{path.name} imports {target}, which needs an import map"
            assert (path.parent / target).is_file(), f"{path.name} imports {target}"


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert "<style" not in page
    assert not re.search(r"\s(?:style|on\w+)=", page)
    for tag in re.findall(r"<script[^>]*>", page):
        assert 'src="./ui/' in tag


def loaded_scripts(*, with_views: bool) -> set[Path]:
    """What `main.js` imports, directly or not. `with_views`: including the views that are opened later, except PDFs."""
    found: set[Path] = set()
    waiting = [FOLDER / "js" / "main.js"]
    while waiting:
        path = waiting.pop().resolve()
        if path not in found and path.name != "pdf_view.js":
            found.add(path)
            targets = imports(path) + (imports(path, dynamic=True) if with_views else [])
            waiting += [path.parent / target for target in targets]
    return found


def test_the_page_opens_without_the_later_views_and_without_pdfjs() -> None:
    found = loaded_scripts(with_views=False)
    assert (FOLDER / "js" / "main.js").resolve() in found
    assert (FOLDER / "js" / "why" / "why.js").resolve() not in found
    assert not any("pdfjs" in target for path in found for target in imports(path))


def test_the_scripts_before_a_pdf_opens_are_small() -> None:
    """Less than 300 kB, uncompressed, with all views and the texts of one language."""
    texts = sorted((FOLDER / "texts").glob("*.js"))
    largest = max(sum(size_of(path) for path in texts if f"{each}.js" in path.name) for each in ("en", "zh"))
    scripts = loaded_scripts(with_views=True)
    assert not scripts & {path.resolve() for path in texts}, "texts of all languages are loaded"
    size = sum(size_of(path) for path in scripts) + largest
    assert 100_000 < size < 300_000


def size_of(path: Path) -> int:
    """Of a script as it is served."""
    return len(static_files()[f"/ui/{path.resolve().relative_to(FOLDER.resolve()).as_posix()}"].content)


def test_a_script_is_served_without_its_comments_and_its_indentation() -> None:
    script = """// A module.

/**
 * What it does: a * b, `//`.
 */
export function f() {
  /** Short. */
  const address = "https://a"; // kept
  return html`
    <p>// no comment: it does not begin its line</p>
  `;
}
"""
    assert compacted(script).split("\n") == [
        *[""] * 5,
        "export function f() {",
        "",
        'const address = "https://a"; // kept',
        "return html`",
        "<p>// no comment: it does not begin its line</p>",
        "`;",
        "}",
        "",
    ]


def test_only_the_worker_for_pdfs_may_run_webassembly(client: TestClient) -> None:
    policies = {path: file.policy for path, file in static_files().items()}
    assert policies.pop("/ui/vendor/pdfjs/pdf.worker.mjs") == client.get(PDF_WORKER).headers["content-security-policy"]
    assert "'wasm-unsafe-eval'" in client.get(PDF_WORKER).headers["content-security-policy"]
    assert set(policies.values()) == {HEADERS["content-security-policy"]}


def test_libraries_are_those_of_the_list(vendor_ui: Any) -> None:
    listed = json.loads((VENDOR / "vendor.json").read_text(encoding="utf-8"))
    found = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()} - {"vendor.json"}
    files = [file for package in listed["packages"] for file in package["files"]]
    folders = [folder for package in listed["packages"] for folder in package.get("folders", [])]
    in_folders = {path for path in found for folder in folders if path.startswith(f"{folder['path']}/")}
    assert {file["path"] for file in files} == found - in_folders
    for folder in folders:
        assert vendor_ui.folder_digest(VENDOR / folder["path"]) == folder["sha256"], "run scripts/vendor_ui.py"
    for file in files:
        digest = hashlib.sha256((VENDOR / file["path"]).read_bytes()).hexdigest()
        assert digest == file["sha256"], f"{file['path']} was changed; run scripts/vendor_ui.py"


def test_every_library_has_a_version_a_licence_and_a_checksum() -> None:
    for package in json.loads((VENDOR / "vendor.json").read_text(encoding="utf-8"))["packages"]:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert package["license"]
        assert package["integrity"].startswith("sha512-")
        assert any(file["path"].startswith("licenses/") for file in package["files"])


def test_the_page_reads_metrics_that_exist() -> None:
    known = {f"{name}{suffix}" for name in definitions() for suffix in ("", "_bucket", "_sum", "_count")}
    for path in (FOLDER / "js").rglob("*.js"):
        assert set(re.findall(r'"(rag_\w+)"', path.read_text())) <= known, path


def test_all_languages_have_the_same_texts() -> None:
    keys = {
        path.name: re.findall(r'^  "((?:(?!\.one")[\w.])+)": "', path.read_text(encoding="utf-8"), re.M)
        for path in (FOLDER / "texts").glob("*.js")
    }
    for english in (name for name in keys if name.endswith("en.js")):
        assert keys[english] == keys[english.replace("en.js", "zh.js")]
    names = [key for name in keys if name.endswith("en.js") for key in keys[name]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_error_code_has_a_text(language: str) -> None:
    script = (FOLDER / "texts" / f"{language}.js").read_text(encoding="utf-8")
    texts = dict(re.findall(r'^  "error\.code\.(\w+)": "(.*)",$', script, re.M))
    assert set(texts) == {error.code for error in all_errors()}
    for text in texts.values():
        assert set(re.findall(r"\{(\w+)\}", text)) <= {"message", "request"}


def sent_codes() -> set[str]:
    """The keys of the texts for what the service says in English."""
    return {
        *(f"warning.{code}" for code in WARNINGS),
        *(f"place.{place}" for place in PLACES),
        *(f"note.{code}" for code in note_codes().values() if "." not in code),
        *(f"part.{part}" for part in PARTS),
        *(f"failure.{failure}" for failure in FAILURES),
        *(f"step.{code}" for code in STEPS),
    }


def test_every_code_of_a_warning_a_note_and_a_step_has_a_text_in_chinese() -> None:
    script = (FOLDER / "texts" / "sent.zh.js").read_text(encoding="utf-8")
    texts = dict(re.findall(r'^  "([\w.]+)": "(.*)",$', script, re.M))
    assert set(texts) == sent_codes()
    for code, english in WARNINGS.items():
        known = {name for text in (english if isinstance(english, tuple) else (english,)) for name in named(text)}
        assert named(texts[f"warning.{code}"]) <= known | {"count"}, code
    for step, text in STEPS.items():
        assert named(texts[f"step.{step}"]) == named(text), step


def named(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)", text))


FROM_THE_API = {"upload.replaced", "upload.unchanged"}
"""Texts whose last word is a value in a response, and whose first is not followed by another one."""


def test_every_text_is_used() -> None:
    scripts = [path.read_text(encoding="utf-8") for path in (FOLDER / "js").rglob("*.js")]
    for path in (FOLDER / "texts").glob("*en.js"):
        for key in re.findall(r'^  "([\w.]+)": ', path.read_text(encoding="utf-8"), re.M):
            name = key.removesuffix(".one")
            assert name in FROM_THE_API or any(uses(script, name) for script in scripts), key


def uses(script: str, key: str) -> bool:
    """Whether a script has this key, or a template such as `chat.${name}_named` that may become it.

    Where the template begins with one word, such as `chat`, the script must have the words that are put in as well.
    """
    if f'"{key}"' in script:
        return True
    for template in re.findall(r"`([\w.]+\.\$\{[^`]*)`", script):
        first, *others = re.split(r"\$\{[^}]*\}", template)
        found = re.fullmatch(r"([\w.]+)".join(map(re.escape, [first, *others])), key)
        if found and (
            first.count(".") > 1 or all(re.search(rf"\b{re.escape(word)}\b", script) for word in found.groups())
        ):
            return True
    return False
