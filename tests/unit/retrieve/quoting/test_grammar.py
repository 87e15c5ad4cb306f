from __future__ import annotations

from rag.retrieve.quoting.grammar import chosen_text, fixed_text, joined
from rag.types import Quote


def a_quote(text: str, source: int, *, is_inline: bool = True) -> Quote:
    return Quote(text, f"{text} [{source}]", source, 0, len(text), is_inline=is_inline)


ONE, TWO, ROW = a_quote('He said "no".', 1), a_quote("Two\\three.", 2), a_quote("a: 1", 2, is_inline=False)


def test_sentences_follow_one_another_and_rows_have_lines_of_their_own() -> None:
    assert joined([ONE, TWO, ROW, ONE]) == 'He said "no". [1] Two\\three. [2]\na: 1 [2]\nHe said "no". [1]'
    assert fixed_text([ONE]) == {"choice": ['He said "no". [1]']}


def test_a_choice_keeps_the_order_and_escapes_quotes() -> None:
    assert chosen_text([ONE, TWO], at_most=2, refusal="Nothing.") == {
        "grammar": "\n".join(
            (
                'root ::= "Nothing." | upto2from0',
                'quote0 ::= "He said \\"no\\". [1]"',
                'quote1 ::= "Two\\\\three. [2]"',
                "upto1from0 ::= quote0 | upto1from1",
                "upto1from1 ::= quote1",
                'upto2from0 ::= quote0 ("\\n" upto1from1)? | upto2from1',
                "upto2from1 ::= quote1",
            )
        )
    }
