from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.errors import SetupError
from rag.keywords import LANGUAGES, checked_language, keyword_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("He runs in running shoes", "run run shoe"),
        ("What does the index cost?", "index cost"),
        ("To be, or not to be?", "to be or not to be"),
        ("max_num_seqs", "max_num_seqs max num seq"),
        ("IVF_FLAT since v2.4", "ivf_flat ivf flat sinc v2_4 v2 4"),
        ("site/en/index.md", "site en index_md index md"),
        ("state-of-the-art GPT-4", "state art gpt_4 gpt 4"),
        ("John's dog isn’t here; O’Neill is", "john dog o neill"),
        ("__init__ _x_ --flag ...", "init x flag"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ ﬁle x²", "full width file x2"),
        ("机器学习 model", "机器 器学 学习 model"),
        ("日 日本", "日 日本"),
        ("データ2件", "デー ータ 2 件"),
        ("데이터를 봐", "데이 이터 터를 봐"),
        ("मैं", "म948902"),
        ("", ""),
        ("🦄 ?! \0 \ud800", ""),
    ],
)
def test_words_of_english_texts(text: str, words: str) -> None:
    assert keyword_text(text, "english") == words


def test_without_a_language_words_are_not_stemmed() -> None:
    assert keyword_text("The running shoes of v2.4", "") == "the running shoes of v2_4 v2 4"


def test_other_languages_are_stemmed() -> None:
    assert keyword_text("die Häuser, das Haus", "german") == "die haus das haus"
    assert keyword_text("бегущие люди", "russian") == keyword_text("бегущий люди", "russian")


def test_an_unsupported_language() -> None:
    assert [checked_language(language) for language in ("", "english")] == ["", "english"]
    for ask in (checked_language, lambda language: keyword_text("x", language)):
        with pytest.raises(SetupError, match=r"'klingon'.*english.*german") as caught:
            ask("klingon")
        assert caught.value.param == "RAG_STORE__LANGUAGE"


def test_threads_at_once() -> None:
    words = [f"running{n} houses" for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: keyword_text(text, "english"), words * 5)) == [
            keyword_text(text, "english") for text in words * 5
        ]


@example("0:S", "porter")
@given(st.text(), st.sampled_from(["", *LANGUAGES]))
def test_milvus_splits_the_result_only_at_spaces(text: str, language: str) -> None:
    """A server splits at spaces; Milvus Lite converts to lower case and splits at non-word characters."""
    words = keyword_text(text, language)
    assert words.split(" ") == words.split() or not words
    assert re.findall(r"\w+", words.lower()) == words.split()
    words.encode()
