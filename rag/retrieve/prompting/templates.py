"""The words around a question and its passages: Jinja files, the package's or the user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from rag.errors import InternalError
from rag.retrieve.prompting.fence import Fence, fence_around

DEFAULTS = Path(__file__).parents[2] / "prompts"
SYSTEM, USER = "system.jinja", "user.jinja"
VARIABLES = {SYSTEM: ("fence",), USER: ("question", "passages", "fence")}
"""What each template can use."""
RENDERING_FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
"""What the expressions of a template may raise."""


@dataclass(frozen=True, slots=True)
class PassageText:
    """A passage as a template sees it."""

    number: int
    """From 1, the best first; what the answer's marks refer to."""
    text: str
    source: str
    """File name and heading."""
    filename: str
    heading: str
    page: int | None


class Templates:
    """See `rag.retrieve.prompting.template_check.open_templates`, which says what is wrong with them.

    Args:
        folder: Of the user's own; what it lacks is the package's. None: all are.
        has_fence: Whether passages are marked as data.
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
        """Another one for other prompts: answers are kept by it."""

    def system(self) -> str:
        """The same for all questions, so that the engine's prefix cache serves it."""
        return self._rendered(SYSTEM, fence=self.has_fence)

    def user(self, question: str, passages: Sequence[PassageText]) -> str:
        return self._rendered(USER, question=question, passages=list(passages), fence=self._fence(passages))

    def render(self, name: str, **values: object) -> str:
        """Raises RENDERING_FAULTS."""
        return self.environment.get_template(name).render(**values).strip()

    def _fence(self, passages: Sequence[PassageText]) -> Fence | None:
        return fence_around(passage.text for passage in passages) if self.has_fence and passages else None

    def _rendered(self, name: str, **values: object) -> str:
        try:
            return self.render(name, **values)
        except RENDERING_FAULTS as error:
            raise InternalError(f"the template {name} cannot be rendered: {type(error).__name__}") from error


def _version(folders: Sequence[Path], has_fence: bool) -> str:
    """Also of the files that templates may include."""
    parts = [str(has_fence)]
    for folder in folders:
        parts += [f"{file.relative_to(folder)}\0{file.read_bytes().hex()}" for file in sorted(folder.rglob("*.jinja"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
