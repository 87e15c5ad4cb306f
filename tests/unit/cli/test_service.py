"""Requests, lists and errors that all commands have in common."""

from __future__ import annotations

import httpx
from click.testing import CliRunner

from rag.cli import main
from rag.cli.service_client import CliContext
from tests.fakes.services.service import FakeService, json_lines


def test_a_list_is_read_page_after_page() -> None:
    service = FakeService(files={f"f{i}": {"id": f"f{i}", "filename": f"{i}.md"} for i in range(5)})
    assert [row["id"] for row in json_lines(service.run("files", "list", "--json"))] == ["f0", "f1", "f2", "f3", "f4"]
    assert [request.query.get("after") for request in service.requests] == [None, "f1", "f3"]


def test_a_limit_ends_the_list() -> None:
    service = FakeService(files={f"f{i}": {"id": f"f{i}", "filename": f"{i}.md"} for i in range(5)})
    assert len(json_lines(service.run("files", "list", "--json", "--limit", "3"))) == 3
    assert [request.query["limit"] for request in service.requests] == ["3", "1"]


def test_connection_refused() -> None:
    result = CliRunner().invoke(main, ["status", "--url", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert "make serve" in result.stderr


def test_an_invalid_url_is_reported() -> None:
    result = CliRunner().invoke(main, ["status", "--url", "localhost:3000"])
    assert (result.exit_code, result.stderr) == (1, "invalid URL: localhost:3000\n")


def test_an_unexpected_response_is_reported() -> None:
    context = CliContext(httpx.MockTransport(lambda _: httpx.Response(200, text="<html>hello</html>")))
    result = CliRunner().invoke(main, ["jobs", "show", "j"], obj=context)
    assert result.exit_code == 1
    assert "unexpected response" in result.stderr


def test_control_characters_in_names_are_replaced() -> None:
    service = FakeService(files={"f": {"id": "f", "filename": "a\x1b[2J[bold]b.md"}})
    result = service.run("files", "list")
    assert "\x1b" not in result.stdout
    assert "\N{REPLACEMENT CHARACTER}[2J[bold]b.md" in result.stdout


def test_ids_are_escaped_in_the_path() -> None:
    result = FakeService().run("files", "show", "../jobs?x=/y")
    assert result.exit_code == 1
    assert "file_not_found: ../jobs?x=/y" in result.stderr
    assert "file_not_found: .." in FakeService().run("files", "show", "..").stderr
    assert "an id or a name is empty" in FakeService().run("files", "delete", "").stderr
