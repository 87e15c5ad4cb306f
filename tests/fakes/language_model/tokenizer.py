from __future__ import annotations

from collections.abc import Collection, Sequence

from rag.types import JsonMapping, Message, RenderedChat


class FakeTokenizer:
    """One token per word; a conversation is rendered as `<role> content` and ends with `<assistant>` and the
    variables of the template."""

    def __init__(self) -> None:
        self.vocabulary: dict[str, int] = {}

    @property
    def control_texts(self) -> Collection[str]:
        return ("<system>", "<user>", "<assistant>")

    def render(self, messages: Sequence[Message], values: JsonMapping | None = None) -> list[int]:
        set_values = [f"{name}={value}" for name, value in (values or {}).items()]
        text = " ".join([*(f"<{message.role}> {message.content}" for message in messages), "<assistant>", *set_values])
        return [self.vocabulary.setdefault(word, len(self.vocabulary)) for word in text.split()]

    def measure(self, messages: Sequence[Message], values: JsonMapping | None = None) -> int:
        return len(self.render(messages, values))

    def count(self, text: str) -> int:
        return len(text.split())

    def decode(self, prompt: Sequence[int] | RenderedChat) -> str:
        """The text of a prompt, without variables of the template if it is a conversation."""
        known = {number: word for word, number in self.vocabulary.items()}
        if not isinstance(prompt, RenderedChat):
            return " ".join(known[number] for number in prompt)
        text = " ".join(known[number] for number in prompt.token_ids)
        return "".join(text.rpartition("<assistant>")[:2])
