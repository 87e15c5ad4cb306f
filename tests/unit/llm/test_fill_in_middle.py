"""Prompts for inserting text, with tokenizers that have the tokens of real models."""

from __future__ import annotations

import string
from collections.abc import Sequence

import pytest
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Metaspace

from rag.errors import InvalidRequest
from rag.llm.fill_in_middle import FillInMiddle
from rag.types import Insertion

BLANK = "▁"
CODE = Insertion("def f():\n    ", "\n    return x\n")


class CharacterTokenizer:
    """A token for each character, with the methods of a tokenizer of transformers.

    Args:
        own: Further tokens.
        start: The token with which a sequence begins; empty: none.
        adds_blank: Whether a text is read with a blank before it, as by SentencePiece.
    """

    def __init__(self, own: Sequence[str], *, start: str = "", adds_blank: bool = False) -> None:
        texts = [*string.printable.replace(" ", ""), BLANK, "☺", *own, *([start] if start else [])]
        self._tokenizer = Tokenizer(BPE(vocab={text: number for number, text in enumerate(texts)}, merges=[]))
        scheme = "always" if adds_blank else "never"
        self._tokenizer.pre_tokenizer = Metaspace(prepend_scheme=scheme)
        self._tokenizer.decoder = decoders.Fuse()
        self.bos_token_id = self._tokenizer.token_to_id(start) if start else None

    def get_vocab(self) -> dict[str, int]:
        return self._tokenizer.get_vocab()

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        start = [self.bos_token_id] if add_special_tokens and self.bos_token_id is not None else []
        return [*start, *self._tokenizer.encode(text, add_special_tokens=False).ids]

    def text(self, ids: Sequence[int]) -> str:
        return "".join(str(self._tokenizer.id_to_token(number)) for number in ids).replace(BLANK, " ")


FAMILIES = {
    "Qwen2.5-Coder": (["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>"], "", "{0}{p}{1}{s}{2}"),
    "StarCoder": (["<fim_prefix>", "<fim_suffix>", "<fim_middle>"], "", "{0}{p}{1}{s}{2}"),
    "DeepSeek-Coder": (["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"], "<s>", "<s>{0}{p}{1}{s}{2}"),
    "CodeLlama": (["▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"], "<s>", "<s>{0}{p}{1}{s}{2}"),
    "Codestral": (["[PREFIX]", "[SUFFIX]"], "<s>", "<s>{1}{s}{0}{p}"),
}


@pytest.mark.parametrize("adds_blank", [False, True], ids=["bytes", "sentencepiece"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_prompt_has_the_form_that_the_model_was_trained_with(family: str, adds_blank: bool) -> None:
    own, start, form = FAMILIES[family]
    tokenizer = CharacterTokenizer(own, start=start, adds_blank=adds_blank)
    fill = FillInMiddle(tokenizer)
    expected = form.format(*own, p=CODE.prefix, s=CODE.suffix).replace(BLANK, " ")
    assert tokenizer.text(fill.token_ids(CODE)) == expected
    assert {tokenizer.get_vocab()[text] for text in own} <= set(fill.stop_token_ids())


def test_a_file_may_begin_with_the_gap() -> None:
    own, start, _ = FAMILIES["CodeLlama"]
    tokenizer = CharacterTokenizer(own, start=start, adds_blank=True)
    assert tokenizer.text(FillInMiddle(tokenizer).token_ids(Insertion("", "x"))) == "<s> <PRE> <SUF>x <MID>"


@pytest.mark.parametrize("own", [["<|im_end|>"], ["<|fim_prefix|>", "<|fim_suffix|>"]], ids=["none", "not all"])
def test_a_model_without_the_tokens_refuses_a_suffix(own: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="no tokens for it") as caught:
        FillInMiddle(CharacterTokenizer(own)).token_ids(CODE)
    assert caught.value.param == "suffix"
