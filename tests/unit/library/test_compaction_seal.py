"""Compacted conversations are sealed for one tenant, with a key that all replicas share."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rag.auth.caller import Caller
from rag.errors import DependencyUnavailable, InvalidRequest
from rag.library.answers import compaction_seal
from rag.library.answers.compaction_seal import CompactionSeal
from tests.support.acting import acting

ITEMS: Any = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Grüße"}]}]
KEY = "compaction.key"


def caller(tenant: str = "acme", **fields: Any) -> Caller:
    return Caller("key", tenant, frozenset(["ask"]), **fields)


def refused(seal: CompactionSeal, sealed: str) -> bool:
    with pytest.raises(InvalidRequest, match=r"encrypted_content: cannot be opened") as failure:
        seal.open(sealed)
    return failure.value.param == "encrypted_content"


def test_what_was_sealed_can_be_opened_by_another_replica_and_after_a_restart(tmp_path: Path) -> None:
    sealed = CompactionSeal(tmp_path).seal(ITEMS)
    assert CompactionSeal(tmp_path).open(sealed) == ITEMS
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
    assert b"input_text" not in base64.urlsafe_b64decode(sealed)
    assert sealed != CompactionSeal(tmp_path).seal(ITEMS)


def test_a_secret_of_the_settings_needs_no_file(tmp_path: Path) -> None:
    sealed = CompactionSeal(tmp_path, "x" * 32).seal(ITEMS)
    assert CompactionSeal(tmp_path / "elsewhere", "x" * 32).open(sealed) == ITEMS
    assert not (tmp_path / KEY).exists()
    assert refused(CompactionSeal(tmp_path, "y" * 32), sealed)


def test_another_tenant_cannot_open_it(tmp_path: Path) -> None:
    seal = CompactionSeal(tmp_path)
    with acting(caller()):
        sealed = seal.seal(ITEMS)
        assert seal.open(sealed) == ITEMS
    with acting(caller("other")):
        assert refused(seal, sealed)
    assert refused(seal, sealed)  # the default tenant


def test_who_may_read_less_than_its_maker_cannot_open_it(tmp_path: Path) -> None:
    """Answers of the conversation may quote documents."""
    seal = CompactionSeal(tmp_path)
    with acting(caller(groups=frozenset(["staff"]), stores=frozenset(["a"]))):
        sealed = seal.seal(ITEMS)
    fewer: dict[str, Any]
    for fewer in ({"groups": frozenset()}, {"groups": frozenset(["staff"]), "stores": frozenset(["b"])}):
        with acting(caller(**fewer)):
            assert refused(seal, sealed)
    with acting(caller(groups=frozenset(["staff", "board"]), stores=frozenset(["a", "b"]))):
        assert seal.open(sealed) == ITEMS
    with acting(caller(groups=frozenset(["staff"]))):  # it may use all vector stores
        assert seal.open(sealed) == ITEMS
    unrestricted = seal.seal(ITEMS)
    with acting(Caller("", "default", frozenset(["ask"]))):
        assert refused(seal, unrestricted)


@pytest.mark.parametrize("position", [0, 1, 12, 13, 40, -1])
def test_a_changed_byte_is_noticed(tmp_path: Path, position: int) -> None:
    seal = CompactionSeal(tmp_path)
    raw = bytearray(base64.urlsafe_b64decode(seal.seal(ITEMS)))
    raw[position] ^= 1
    assert refused(seal, base64.urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAABpM0Yj-...=", "ä", "AQ==", "AQAA", "AQAAAAAAAAAAAAAAAAAA"])
def test_what_was_never_sealed_is_refused(tmp_path: Path, sealed: str) -> None:
    assert refused(CompactionSeal(tmp_path), sealed)


def test_one_of_several_processes_makes_the_key(tmp_path: Path) -> None:
    seals = [CompactionSeal(tmp_path) for _ in range(16)]
    with ThreadPoolExecutor(len(seals)) as threads:
        sealed = list(threads.map(lambda seal: seal.seal(ITEMS), seals))
    assert all(CompactionSeal(tmp_path).open(each) == ITEMS for each in sealed)


def test_a_key_that_is_never_complete_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction_seal, "_WRITING_S", 0.0)
    (tmp_path / KEY).write_bytes(b"half")
    with pytest.raises(DependencyUnavailable, match=r"compaction\.key: .* damaged"):
        CompactionSeal(tmp_path).seal(ITEMS)
