"""What distinguishes the languages that legacy encodings were made for: letters beyond ASCII, and frequent words."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Language:
    """A language, as far as it tells encodings apart."""

    letters: frozenset[str]
    """Lower case, beyond ASCII."""
    words: frozenset[str]
    """Some of the most frequent ones."""
    frequent: frozenset[str] = frozenset()
    """The most frequent letters of a script other than Latin; empty if the letters alone are telling."""


def _language(letters: str, words: str, frequent: str = "") -> Language:
    composed = unicodedata.normalize("NFC", letters)
    return Language(frozenset(composed), frozenset(words.split()), frozenset(frequent))


def _span(first: str, last: str) -> str:
    return "".join(map(chr, range(ord(first), ord(last) + 1)))


_CYRILLIC = _span("а", "я")
WESTERN: Final = (
    _language("àâæçéèêëîïôœùûüÿ", "le la les des et est une un que dans pour du de au avec sur pas il ce"),
    _language("äöüß", "der die das und ist nicht mit von zu den ein eine für im auf sie des"),
    _language("áéíóúüñ", "el la los las de que en y por con para una es se del un no su"),
    _language("áâãàçéêíóôõúü", "o os que de em não uma com para por do da no na um se as"),
    _language("àèéìîòóù", "il di che la e per un con non una del sono della le"),
    _language("ëïéèöüó", "de het een van en dat niet met voor zijn op is"),
    _language("åäöé", "och att det som en på är av för inte den till"),
    _language("æøåé", "og er det at en på for ikke som til av den"),
    _language("äöå", "ja on ei se oli että hän mutta"),
    _language("áðéíóúýþæö", "og að er við sem ekki það til"),
    _language("àçèéíïòóúü", "els les de que amb per una del"),
    _language("éèêëïñöüçàâôáíóåøäæ", "the of and to in is that for with was are on"),
)
CENTRAL_EUROPEAN: Final = (
    _language("ąćęłńóśźż", "i w z na do się nie jest że to oraz przez"),
    _language("áčďéěíňóřšťúůýž", "a v na je se že do s to jsou pro"),
    _language("áäčďéíĺľňóôŕšťúýž", "a v na je sa že do s to sú pre"),
    _language("áéíóöőúüű", "a az és hogy nem egy is van meg ez"),
    _language("ăâîşţșț", "de la în cu este nu un o din pe care"),
    _language("čćđšž", "i je na u se da za su od koji in"),
)
TURKISH: Final = (_language("çğıöşüâîû\N{COMBINING DOT ABOVE}", "ve bir bu için ile da de çok olarak daha"),)
BALTIC: Final = (
    _language("ąčęėįšųūž", "ir yra kad su iš į tai"),
    _language("āčēģīķļņšūž", "un ir ar par kas no uz"),
    _language("äöõüšž", "ja on ei see et ning oli"),
)
VIETNAMESE: Final = (
    _language(
        "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ",
        "và của là có trong cho không được người các một với",
    ),
)
CYRILLIC: Final = (
    _language(_CYRILLIC + "ё", "и в не на что с по это как из к у за от", "оеаинтсрвл"),
    _language(_CYRILLIC + "іїєґ", "і в не на що з та до у за від це", "оаинітвесрі"),
    _language(_CYRILLIC, "и на да се от за не с по е в", "аоиетнрсвл"),
    _language(_CYRILLIC + "ђјљњћџ", "и је у на да се за од су", "аоиентрсвј"),
)
GREEK: Final = (
    _language(_span("α", "ω") + "άέήίόύώϊϋΐΰς", "και το η ο να της του με για από στο είναι τα", "αοιετσνηυρςπ"),
)
HEBREW: Final = (
    _language(_span("א", "ת") + _span("\u05b0", "\u05c2"), "של את על לא הוא זה עם כי גם או אל היא", "יוהלארבתשםמנ"),
)
ARABIC: Final = (
    _language(_span("ء", "غ") + _span("ف", "\u0652") + "پچژگکی", "في من على أن إلى هذا التي ما لا عن مع", "اليمنوترب"),
)
THAI: Final = (_language(_span("ก", "\u0e3a") + _span("เ", "๎"), "", "านรอกเงมยลวดทสตคใไปห่้ัิี"),)

ENCODINGS: Final[tuple[tuple[str, tuple[Language, ...]], ...]] = (
    ("cp1252", WESTERN),
    ("cp1250", CENTRAL_EUROPEAN),
    ("cp1251", CYRILLIC),
    ("cp1253", GREEK),
    ("cp1254", TURKISH),
    ("cp1255", HEBREW),
    ("cp1256", ARABIC),
    ("cp874", THAI),
    ("cp1258", VIETNAMESE),
    ("cp1257", BALTIC),
    ("iso8859_15", WESTERN),
    ("iso8859_2", CENTRAL_EUROPEAN),
    ("koi8_r", CYRILLIC[:1]),
    ("koi8_u", CYRILLIC[1:2]),
    ("iso8859_7", GREEK),
    ("mac_roman", WESTERN),
    ("cp866", CYRILLIC),
    ("cp850", WESTERN),
    ("mac_cyrillic", CYRILLIC),
    ("iso8859_5", CYRILLIC),
)
"""Encodings with one byte a character and their languages. Of two that are equally plausible, the first is chosen."""
