"""Recognizes the language of a text by its most frequent words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

_FREQUENT_WORDS = {
    "english": (
        "the of and to is in that for it with as was on are by this be from or what which how does who where when"
    ),
    "german": (
        "der die das und ist in den von zu mit sich des auf für nicht ein eine dem im als auch es an werden "
        "aus er hat wie sind einer wird bei wurde welche welcher welches welchem welchen was wer wo wann "
        "warum oder nach"
    ),
    "french": (
        "le la les des et est un une du en que qui dans pour sur pas au par il ne sont avec ce se cette aux "
        "quel quelle quels quelles comment où quand pourquoi ou"
    ),
    "spanish": (
        "el la los las de y es un una del en que por para con no se su al lo como más son fue qué cuál quién "
        "dónde cuándo cómo o"
    ),
    "italian": (
        "il la lo gli le di e è un una del della in che per con non si al dei delle sono come più nel alla "
        "quale chi dove quando perché o"
    ),
    "portuguese": (
        "o a os as de e é um uma do da em que para com não se no na dos das por são ao mais como foi qual "
        "quem onde quando ou"
    ),
    "dutch": (
        "de het een van en is in dat op te met voor niet zijn aan er om ook als bij wordt door naar wat welke "
        "wie waar hoe wanneer of"
    ),
    "swedish": "och att det som en på är av för med till den har inte om ett han var jag vad vilken vilket hur eller",
    "danish": "og at det som en på er af for med til den har ikke om et han var jeg hvad hvilken hvordan eller",
    "polish": "i w na z się nie do to jest że o jak za od po co oraz który która które przez dla czy kto gdzie",
    "turkish": "ve bir bu da de için ile olarak ne çok en gibi daha olan mi mı nedir nasıl hangi",
    "indonesian": "dan yang di ini itu dengan untuk dari pada adalah dalam tidak akan ke oleh apa bagaimana",
}
_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _words in _FREQUENT_WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_language)
_MIN_WORDS = 2


def is_frequent_word(word: str) -> bool:
    """Whether one of the languages has the word, in lower case, among its most frequent."""
    return word in _LANGUAGES_OF


def other_language(words: Iterable[str], language: str) -> str:
    """The language of the words, in lower case, if it is not the given one; empty if it is, or if it is not clear."""
    counts: Counter[str] = Counter()
    for word in words:
        if word in _LANGUAGES_OF:
            counts.update(_LANGUAGES_OF[word])
    if not counts:
        return ""
    best = max(counts, key=lambda each: (counts[each], each == language, each == "english"))
    return best if counts[best] >= _MIN_WORDS and best != language else ""
