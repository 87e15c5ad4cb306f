from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.adapters.sentence_transformers.multi_vector.quantization import quantized
from rag.adapters.sentence_transformers.multi_vector.token_vector_file import TokenVectorFile
from rag.adapters.sentence_transformers.multi_vector.token_vectors import TokenVectors

DIMENSIONS = 64


def tokens(seed: int, count: int = 20) -> TokenVectors:
    random = np.random.default_rng(seed)
    rows = random.standard_normal((count, DIMENSIONS))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    return TokenVectors(random.integers(0, 250_000, count).astype(np.int32), vectors)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "token_vectors.db"


@pytest.fixture
def file(path: Path) -> Iterator[TokenVectorFile]:
    made = TokenVectorFile(path, 2**20)
    yield made
    made.close()


def test_what_was_added_is_found_again_after_a_restart(file: TokenVectorFile, path: Path) -> None:
    file.add("model", {"one": tokens(1), "two": tokens(2)})
    file.close()
    again = TokenVectorFile(path, 2**20)
    found = again.find("model", ["two", "one", "three"])
    again.close()
    assert set(found) == {"one", "two"}
    for text, seed in (("one", 1), ("two", 2)):
        original = tokens(seed)
        np.testing.assert_array_equal(found[text].ids, original.ids)
        cosines = np.sum(found[text].vectors.astype(np.float32) * original.vectors.astype(np.float32), axis=1)
        assert cosines.min() > 0.8


def test_another_model_has_other_vectors(file: TokenVectorFile) -> None:
    file.add("model", {"one": tokens(1)})
    assert file.find("other", ["one"]) == {}


def test_a_text_is_kept_once(file: TokenVectorFile) -> None:
    file.add("model", {"one": tokens(1)})
    file.add("model", {"one": tokens(1), "two": tokens(2)})
    assert set(file.find("model", ["one", "two"])) == {"one", "two"}


def test_the_oldest_make_room(path: Path) -> None:
    size = len(quantized(tokens(0)))
    file = TokenVectorFile(path, 10 * size)
    for number in range(25):
        file.add("model", {str(number): tokens(number)})
    found = file.find("model", [str(number) for number in range(25)])
    file.close()
    assert 5 <= len(found) <= 10
    assert set(found) == {str(number) for number in range(25 - len(found), 25)}


def test_a_text_without_tokens_is_kept(file: TokenVectorFile) -> None:
    file.add("model", {"": tokens(1, 0)})
    assert file.find("model", [""])[""].vectors.shape == (0, DIMENSIONS)


def test_a_damaged_file_is_made_anew(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    file = TokenVectorFile(path, 2**20)
    file.add("model", {"one": tokens(1)})
    assert set(file.find("model", ["one"])) == {"one"}
    file.close()
    assert "damaged" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="needs a folder in place of a file")
def test_without_a_file_passages_are_encoded_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "token_vectors.db").mkdir()
    file = TokenVectorFile(tmp_path / "token_vectors.db", 2**20)
    file.add("model", {"one": tokens(1)})
    assert file.find("model", ["one"]) == {}
    assert "passages will be encoded again" in caplog.text


def test_threads_and_processes_share_a_file(path: Path) -> None:
    files = [TokenVectorFile(path, 2**22) for _ in range(2)]
    names = [f"{writer}-{number}" for writer in range(4) for number in range(20)]

    def write(writer: int) -> None:
        for number in range(20):
            files[writer % 2].add("model", {f"{writer}-{number}": tokens(number)})

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(files[0].find("model", names)) == set(names)
    for file in files:
        file.close()
