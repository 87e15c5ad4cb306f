"""What the keyword path of every VectorStore finds. Inherit it and give it a `store` fixture."""

from __future__ import annotations

import pytest

from rag.ports import VectorStore
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, dense, keyword, put, texts
from tests.support.builders import a_chunk


def found(store: VectorStore, query: str) -> set[str]:
    return set(texts(keyword(store, query)))


class KeywordContract:
    @pytest.fixture(autouse=True)
    def _vector_store(self, store: VectorStore) -> None:
        store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)

    def test_scores_are_positive_best_first(self, store: VectorStore) -> None:
        put(store, a_chunk("apple apple pie"), a_chunk("one apple a day", ordinal=1), a_chunk("zebra", ordinal=2))
        matches = keyword(store, "apple")
        assert texts(matches) == ["apple apple pie", "one apple a day"]
        assert matches[0].score >= matches[1].score > 0

    def test_heading_and_filename_count(self, store: VectorStore) -> None:
        put(store, a_chunk("body", heading="Index > HNSW", filename="reference/limits.md"))
        put(store, a_chunk("zebra", filename="x.txt"))
        for query in ("hnsw", "limits", "limits.md", "reference/limits.md", "the reference"):
            assert texts(keyword(store, query)) == ["body"]

    def test_endings_make_no_difference(self, store: VectorStore) -> None:
        put(store, a_chunk("He runs in a shoe"), a_chunk("Two Zebras", ordinal=1))
        assert found(store, "running shoes") == {"He runs in a shoe"}
        assert found(store, "ZEBRA") == found(store, "zebra's") == {"Two Zebras"}

    def test_stop_words_do_not_count(self, store: VectorStore) -> None:
        put(store, a_chunk("what is in the box"), a_chunk("pears", ordinal=1))
        assert found(store, "what are the pears") == {"pears"}
        assert found(store, "where is that") == set()

    def test_stop_words_count_where_there_is_nothing_else(self, store: VectorStore) -> None:
        put(store, a_chunk("To be or not to be"), a_chunk("this is the question", ordinal=1), a_chunk("", ordinal=2))
        assert texts(keyword(store, "to be, or not to be?")) == ["To be or not to be"]

    @pytest.mark.parametrize("query", ["", " ", "?!", "🦄", "\0", "\ud800", "'", "\u0301", "_", "'s", "."])
    def test_a_query_without_words_finds_nothing(self, store: VectorStore, query: str) -> None:
        put(store, a_chunk("apple"), a_chunk("", ordinal=1), a_chunk("🦄", ordinal=2))
        assert store.keyword(STORE, [query, "apple", query], 5)[::2] == [[], []]
        assert texts(store.keyword(STORE, [query, "apple"], 5)[1]) == ["apple"]
        assert len(dense(store, "apple")) == 3

    @pytest.mark.parametrize(
        ("text", "queries"),
        [
            ("set max_num_seqs to 16", ["max_num_seqs", "MAX_NUM_SEQS", "seqs", "num seq", "--max-num-seqs"]),
            ("IVF_FLAT is exact", ["IVF_FLAT", "ivf_flat", "IVF", "flat"]),
            ("since v2.4 only", ["v2.4", "V2.4", "v2"]),
            ("see notes/quick-start.md for it", ["quick-start.md", "quick-start", "notes/quick-start.md"]),
            ("state-of-the-art", ["state of the art", "State-of-the-Art", "art"]),
            ("Ｆｕｌｌ ｗｉｄｔｈ ﬁne", ["full", "width", "fine"]),
            ("O’Neill isn’t here", ["O'Neill", "oneill o neill"]),
            ("机器学习的模型", ["学习", "机器学习", "模型"]),
            ("データベース", ["データ", "ベース"]),
            ("데이터베이스를", ["데이터베이스"]),
            ("हिन्दी में खोज", ["हिन्दी", "खोज"]),
            ("Größe und Straße", ["größe", "STRASSE straße", "grosse strasse"]),
            ("C++ bindings need libpump", ["C++", "C++ bindings"]),
            ("the .NET runtime", [".NET", ".net runtime"]),
            ("The IT department", ["IT", "What is IT?"]),
            ("See RFC-7231 or AB-1234", ["RFC7231", "RFC 7231", "AB1234", "ab-1234"]),
            ("Call getUserName()", ["user name", "getusername", "get_user_name"]),
            ("Budget 1,250,000 EUR", ["1250000", "1,250,000"]),
            ("heated at -40 °C", ["-40 °C", "−40"]),
            ("Zürich, résumé", ["Zurich", "resume", "résumé"]),
            ("我的猫很可爱，狗不在家。", ["猫", "狗"]),
            ("检查数据\n库的连接", ["数据库"]),
            ("サーバーの設定", ["サーバ", "サーバー"]),
            ("เครื่องสูบน้ำต้องตรวจสอบทุกสัปดาห์", ["ตรวจสอบ", "น้ำ"]),
            ("ម៉ាស៊ីនបូមទឹកត្រូវពិនិត្យ", ["ពិនិត្យ"]),
            ("ກວດສອບປັ໊ມນ້ຳ", ["ນ້ຳ"]),
            ("ရေစုပ်စက်ကို စစ်ဆေးပါ", ["စစ်ဆေး"]),
            ("يجب فحص المضخة", ["مضخة", "والمضخة"]),
            ("לבדוק את המשאבה", ["משאבה", "והמשאבה"]),
            ("Насосы проверяют", ["насос"]),
            ("Die Pumpen und die Ventile der Anlage", ["Pumpe", "Ventil"]),
        ],
    )
    def test_names_and_scripts(self, store: VectorStore, text: str, queries: list[str]) -> None:
        put(store, a_chunk(text), a_chunk("zebra 99", ordinal=1), a_chunk("ह में x1y", ordinal=2))
        for query in queries:
            assert texts(keyword(store, query))[:1] == [text], query

    def test_a_whole_name_comes_before_its_parts(self, store: VectorStore) -> None:
        put(store, a_chunk("a flat roof and an IVF clinic flat IVF"), a_chunk("build with IVF_FLAT then", ordinal=1))
        assert texts(keyword(store, "IVF_FLAT")) == [
            "build with IVF_FLAT then",
            "a flat roof and an IVF clinic flat IVF",
        ]

    def test_names_that_differ_in_a_symbol_are_different_words(self, store: VectorStore) -> None:
        languages = ["C bindings", "C++ bindings", "C# bindings"]
        put(store, *(a_chunk(text, ordinal=n) for n, text in enumerate(languages)))
        assert [texts(keyword(store, query))[0] for query in languages] == languages
        put(store, a_chunk("a -40 degree variant", version="two"), a_chunk("a +40 degree variant", version="three"))
        assert texts(keyword(store, "-40 degrees"))[0] == "a -40 degree variant"
        assert texts(keyword(store, "+40 degrees"))[0] == "a +40 degree variant"

    def test_a_word_weighs_by_all_chunks_wherever_they_are_kept(self, store: VectorStore) -> None:
        """What came last is in no large segment yet; it must not be ranked below for that."""
        put(store, *(a_chunk(f"common filler {n}", ordinal=n) for n in range(260)), a_chunk("rare word", ordinal=900))
        put(store, *(a_chunk(f"filler common {n}", version="two", ordinal=n) for n in range(150)))
        put(store, a_chunk("rare rare rare", version="three"))
        matches = keyword(store, "rare")
        assert texts(matches) == ["rare rare rare", "rare word"]
        assert 1 < matches[0].score / matches[1].score < 1.6

    def test_filters_and_left_out_versions(self, store: VectorStore) -> None:
        put(store, a_chunk("apples", attributes={"n": 1}), a_chunk("an apple", version="two", attributes={"n": 2}))
        first = a_chunk().version_id
        assert texts(keyword(store, "apple", filters={"type": "gt", "key": "n", "value": 1})) == ["an apple"]
        assert texts(keyword(store, "apple", without=[first])) == ["an apple"]
