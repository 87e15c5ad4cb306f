"""The language of a document, recognized by script and frequent words."""

from __future__ import annotations

import pytest

from rag.keywords import document_language

TEXTS = {
    "en": "The pump is in the hall, and it was checked by the shift that is on duty at night.",
    "de": "Die Pumpe steht in der Halle und wird von der Schicht geprüft, die nachts im Dienst ist.",
    "fr": "La pompe est dans la salle et elle est contrôlée par une équipe qui travaille pour la nuit.",
    "es": "La bomba está en la sala y es controlada por el turno que trabaja de noche en la planta.",
    "it": "La pompa è nella sala e viene controllata dal turno di notte che è in servizio, non di giorno.",
    "nl": "De pomp staat in de hal en wordt door het team van de nacht gecontroleerd; dat is niet voor niets.",
    "pl": "Pompa jest w hali i nie jest to jej stałe miejsce, bo na noc się ją przenosi do magazynu.",
    "ru": "Насос стоит в зале, и его проверяет ночная смена, которая дежурит на заводе.",
    "uk": "Насос стоїть у залі, і його перевіряє нічна зміна, яка чергує на заводі.",
    "el": "Η αντλία βρίσκεται στην αίθουσα και ελέγχεται από τη νυχτερινή βάρδια.",
    "ar": "المضخة موجودة في القاعة ويتم فحصها من قبل وردية الليل في المصنع.",
    "fa": "پمپ در سالن قرار دارد و گروه شب آن را بررسی می‌کند چون کارخانه بزرگ است.",
    "he": "המשאבה נמצאת באולם ונבדקת על ידי משמרת הלילה של המפעל.",
    "zh": "水泵安装在大厅里，夜班人员每天晚上都会检查它的运行情况。",
    "ja": "ポンプはホールにあり、夜勤の担当者が毎晩その状態を点検しています。",
    "ko": "펌프는 홀에 있으며 야간 근무자가 매일 밤 상태를 점검합니다.",
    "th": "ปั๊มอยู่ในห้องโถงและมีการตรวจสอบโดยกะกลางคืนของโรงงาน",
}


@pytest.mark.parametrize("tag", TEXTS)
def test_languages(tag: str) -> None:
    assert document_language(TEXTS[tag]) == tag


@pytest.mark.parametrize("text", ["", "1234 5678", "QX-7731-B", "The pump", "Lorem ipsum dolor sit amet " * 9])
def test_what_is_not_clear_has_no_language(text: str) -> None:
    assert document_language(text) == ""


def test_a_text_in_two_languages_alike_has_none() -> None:
    assert document_language(f"{TEXTS['en']} {TEXTS['de']}") == ""


def test_foreign_words_do_not_decide() -> None:
    assert document_language(TEXTS["ja"] * 3 + " Milvus Server Configuration ") == "ja"
    assert document_language(TEXTS["en"] * 3 + " 水泵") == "en"
