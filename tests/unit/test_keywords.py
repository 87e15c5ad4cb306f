from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.errors import SetupError
from rag.keywords import LANGUAGES, checked_language, keyword_text
from rag.keywords.names import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("He runs in running shoes", "run run shoe"),
        ("What does the index cost?", "index cost"),
        ("To be, or not to be?", "to be or not to be"),
        ("max_num_seqs", "maxnumseq max num seq"),
        ("IVF_FLAT since v2.4", "ivfflat ivf flat sinc v2_4 v2 4"),
        ("site/en/index.md", "site en indexmd index md"),
        ("state-of-the-art GPT-4", "state art gpt4 gpt 4"),
        ("John's dog isn’t here; O’Neill is", "john dog o neill"),
        ("__init__ _x_ --flag ...", "init x flag"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ ﬁle x²", "full width file x2"),
        ("机器学习 model", "机器 器学 学习 机 器 学 习 model"),
        ("日 日本", "日 日本 日 本"),
        ("データ2件", "デー ータ 2 件"),
        ("데이터를 봐", "데이 이터 터를 봐"),
        ("मैं", "म948902"),
        ("C++ and C#, or C", "c_plus_plus c_sharp c"),
        ("g++ Notepad++ C++17", "g_plus_plus notepad_plus_plus notepad c_plus_plus 17"),
        (".NET, ASP.NET. Next", "dot_net net aspnet asp net next"),
        ("The IT department has it", "it depart"),
        ("WHAT IS IN IT", "what is in it"),
        ("cats AND dogs", "cat dog"),
        ("RFC-7231 RFC7231", "rfc7231 rfc 7231 rfc7231 rfc 7231"),
        ("AB-1234-C AB1234C", "ab1234c ab 1234 c ab1234c ab 1234c"),
        ("40mm, GPT4", "40mm 40 mm gpt4 gpt"),
        ("getUserName HTTPServer", "getusernam get user name httpserver http server"),
        ("user_name, user-name", "usernam user name user name"),
        ("Wi-Fi WiFi, state-of-the-art", "wifi wi fi wifi state art"),
        ("iPhone scFv McDonald", "iphon scfv mcdonald"),
        ("1,250,000 1'250'000", "1250000 1 250 000 1250000 1 250 000"),
        ("1\xa0250\xa0000 or 1.250.000", "1250000 1 250 000 1250000 1_250_000 1 250 000"),
        ("1,250,00 3.14 2024-01-15", "1 250 00 3_14 3 14 2024_01_15 2024 01 15"),
        ("-40 +40 −40 10-20 x-40", "minus_40 40 plus_40 40 minus_40 40 10_20 10 20 x40 x 40"),
        ("Zürich Straße résumé", "zurich strass resume resum"),
        ("Łódź Ærø naïve ΕΛΛΆΔΑ Ёлка", "lodz aero naiv ελλαδ елк"),
        ("サーバー サーバ", "サー ーバ サー ーバ"),
        ("コピー", "コピ ピー"),
        ("检查数据\n库的", "检查 查数 数据 据库 库的 检 查 数 据 库 的"),
        ("물을", "물을 물"),
        ("٤٢ ４２ ४२", "42 42 42"),
        ("QX-7731-Bの", "qx7731b qx 7731 b の"),
        ("Foo™ co\u00adoperate", "foo cooper"),
        ("", ""),
        ("🦄 ?! \0 \ud800", ""),
    ],
)
def test_words_of_english_texts(text: str, words: str) -> None:
    assert keyword_text(text, "english") == words


def test_without_a_language_words_are_not_stemmed() -> None:
    assert keyword_text("The running shoes of v2.4", "") == "the running shoes of v2_4 v2 4"


def test_other_languages_are_stemmed() -> None:
    assert keyword_text("die Häuser, das Haus", "german") == "haus haus"
    assert keyword_text("бегущие люди", "russian") == keyword_text("бегущий люди", "russian")


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("เครื่องสูบน้ำต้องตรวจสอบทุกสัปดาห์และเปลี่ยนตัวกรองทุกเดือน", ["ตรวจสอบ", "น้ำ", "ตัวกรอง"]),
        ("ម៉ាស៊ីនបូមទឹកត្រូវពិនិត្យរៀងរាល់សប្តាហ៍", ["ពិនិត្យ", "ទឹក"]),
        ("ກະລຸນາກວດສອບປັ໊ມນ້ຳທຸກອາທິດ", ["ກວດສອບ", "ນ້ຳ"]),
        ("ရေစုပ်စက်ကိုအပတ်တိုင်းစစ်ဆေးပါ", ["စစ်ဆေး", "ရေ"]),
        ("我的猫很可爱，狗不在家。", ["猫", "狗", "可爱"]),
        ("サーバーの設定", ["サーバ", "サーバー", "設定"]),
        ("يجب فحص المضخة والصمامات", ["مضخة", "المضخة", "بالمضخة", "والمضخة", "صمامات"]),
        ("ולבדוק את המשאבה שבמרתף", ["משאבה", "המשאבה", "והמשאבה"]),
        ("Call getUserName() now", ["user name", "get_user_name", "getusername"]),
        ("Call getUserId(), userID", ["user id", "getUserId", "id"]),
        ("Send an e-mail over Wi-Fi", ["email", "WiFi", "mail"]),
        ("See RFC 7231 and RFC-7235", ["RFC7231", "RFC7235", "rfc-7231"]),
        ("Насосы проверяют", ["насос", "насосами"]),
    ],
)
def test_every_word_of_a_query_is_found(text: str, queries: list[str]) -> None:
    indexed = set(keyword_text(text, "english").split())
    for query in queries:
        assert indexed & set(keyword_text(query, "english").split()), query


def test_a_text_in_another_language_is_stemmed_in_that_one_too() -> None:
    assert keyword_text("die Pumpen und die Ventile der Anlage", "english") == ("pumpen pump ventil anlag")
    assert keyword_text("Pumpe", "english") == "pump"
    assert keyword_text("the pumps of the plant", "german") == "pumps pump plant"
    assert keyword_text("die Pumpen und die Anlage", "") == "die pumpen und die anlage"


def test_long_words_are_analyzed_like_others() -> None:
    assert keyword_text("runningRunningRunning" * 9, "english").split()[1:3] == ["run", "run"]


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
@example("0\U000191d3\u0591", "")
@given(st.text(), st.sampled_from(["", *LANGUAGES]))
def test_milvus_splits_the_result_only_at_spaces(text: str, language: str) -> None:
    """A server splits at spaces; Milvus Lite converts to lower case and splits at non-word characters."""
    words = keyword_text(text, language)
    assert words.split(" ") == words.split() or not words
    assert re.findall(r"\w+", words.lower()) == words.split()
    words.encode()


@given(st.text(st.sampled_from("aZ09 .,'_-+#&\n"), max_size=30))
@example("1,250,000 1'250 v2.4 -40 .NET C++ C# x& A&B 3.000.000 1,25 --1 a..b")
def test_ascii_text_has_the_same_words_within_other_text(text: str) -> None:
    """Its words are found by a pattern of their own."""
    assert list(words_of(f"é {text} é"))[1:-1] == list(words_of(f" {text} "))
