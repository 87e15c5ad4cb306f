from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.adapters.parser_process import ParserProcess
from tests.contract.parser_contract import ParserContract
from tests.fakes import FakeParser


@pytest.fixture(scope="module")
def process() -> Iterator[ParserProcess]:
    process = ParserProcess()
    yield process
    process.close()


class TestFakeParser(ParserContract):
    UNREADABLE = b"broken"

    @pytest.fixture
    def parser(self) -> FakeParser:
        return FakeParser()


@pytest.mark.integration
class TestParserProcess(ParserContract):
    UNREADABLE = b"\x7fELF\x02\x01\x01" + bytes(64)

    @pytest.fixture
    def parser(self, process: ParserProcess) -> ParserProcess:
        return process
