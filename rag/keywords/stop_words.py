"""Words that say nothing about what a text is about, by language."""

from __future__ import annotations

# Snowball's own list, https://snowballstem.org/algorithms/english/stop.txt, also used by Lucene.
_ENGLISH = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it
its itself they them their theirs themselves what which who whom this that these those am is are was were be been
being have has had having do does did doing would should could ought i'm you're he's she's it's we're they're i've
you've we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll isn't aren't wasn't
weren't hasn't haven't hadn't doesn't don't didn't won't wouldn't shan't shouldn't can't cannot couldn't mustn't
let's that's who's what's here's there's when's where's why's how's a an the and but if or because as until while of
at by for with about against between into through during before after above below to from up down in out on off over
under again further then once here there when where why how all any both each few more most other some such no nor
not only own same so than too very
"""
FREQUENT_WORDS = {
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
"""The most frequent words of some languages. Of other languages BM25 gives frequent words almost no weight."""
_STOP_WORDS = {language: frozenset(words.split()) for language, words in FREQUENT_WORDS.items()}
_STOP_WORDS["english"] |= frozenset(_ENGLISH.split())
_ALL = frozenset[str]().union(*_STOP_WORDS.values())


def stop_words_of(language: str) -> frozenset[str]:
    """In lower case; none for a language without a list."""
    return _STOP_WORDS.get(language, frozenset())


def is_stop_word(word: str) -> bool:
    """Whether a word, in lower case, is a stop word of any language."""
    return word in _ALL
