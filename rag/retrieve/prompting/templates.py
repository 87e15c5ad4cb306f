"""Prompt templates: Jinja files of this package, which a folder of the user may override."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from rag.errors import InternalError
from rag.retrieve.prompting.fence import Fence, fence_around
from rag.types import Message

DEFAULTS = Path(__file__).parents[2] / "prompts"
SYSTEM, USER, QUOTE, SEARCH = "system.jinja", "user.jinja", "quote.jinja", "search.jinja"
SUMMARY = "summary.jinja"
VARIABLES = {
    SYSTEM: ("fence",),
    USER: ("question", "passages", "fence"),
    QUOTE: ("question", "quotes"),
    SEARCH: ("passages", "known", "fence"),
    SUMMARY: ("turns", "summary", "instructions"),
}
"""The variables of each template."""
RENDERING_FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
"""Errors that the expressions of a template may raise."""


@dataclass(frozen=True, slots=True)
class PassageText:
    """A passage as a template sees it."""

    number: int
    """From 1, best first; citations in the answer refer to it."""
    text: str
    source: str
    """File name and heading."""
    filename: str
    heading: str
    page: int | None


class Templates:
    """The prompt templates. `rag.retrieve.prompting.template_check.open_templates` also checks them.

    Args:
        folder: The user's templates; any that are missing come from this package. None: all do.
        has_fence: Whether a fence marks passages as data.
    """

    def __init__(self, folder: Path | None, *, has_fence: bool) -> None:
        folders = [DEFAULTS] if folder is None else [folder, DEFAULTS]
        self.has_fence = has_fence
        self.environment = SandboxedEnvironment(
            loader=FileSystemLoader(folders),
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.version = _version(folders, has_fence)
        """Differs for templates that differ; part of the cache keys of answers."""

    def system(self) -> str:
        """Equal for all questions, so that the engine can serve it from its prefix cache."""
        return self._render_checked(SYSTEM, fence=self.has_fence)

    def user(self, question: str, passages: Sequence[PassageText]) -> str:
        return self._render_checked(USER, question=question, passages=list(passages), fence=self._fence(passages))

    def quote(self, question: str, quotes: Sequence[str]) -> str:
        """The whole prompt of a quoted answer: one message."""
        return self._render_checked(QUOTE, question=question, quotes=list(quotes))

    def search(self, passages: Sequence[PassageText], known: Sequence[int]) -> str:
        """What a search that the language model asked for returns to it.

        Args:
            known: Numbers of the passages that an earlier search returned.
        """
        return self._render_checked(SEARCH, passages=list(passages), known=list(known), fence=self._fence(passages))

    def summary(self, turns: Sequence[Message], summary: str, instructions: str) -> str:
        """The whole prompt for the summary of a conversation: one message.

        Args:
            summary: Of the turns before these; empty if there were none.
            instructions: Of the assistant; empty if it has none.
        """
        return self._render_checked(SUMMARY, turns=list(turns), summary=summary, instructions=instructions)

    def render(self, name: str, **values: object) -> str:
        """Raises RENDERING_FAULTS."""
        return self.environment.get_template(name).render(**values).strip()

    def _fence(self, passages: Sequence[PassageText]) -> Fence | None:
        return fence_around(passage.text for passage in passages) if self.has_fence and passages else None

    def _render_checked(self, name: str, **values: object) -> str:
        try:
            return self.render(name, **values)
        except RENDERING_FAULTS as error:
            raise InternalError(f"could not render the template {name}: {type(error).__name__}") from error


def _version(folders: Sequence[Path], has_fence: bool) -> str:
    """A hash of all files, including those that only other templates include."""
    parts = [str(has_fence)]
    for folder in folders:
        parts += [f"{file.relative_to(folder)}\0{file.read_bytes().hex()}" for file in sorted(folder.rglob("*.jinja"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
