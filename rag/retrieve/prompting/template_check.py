"""Checks prompt templates at startup by rendering them with sample values."""

from __future__ import annotations

import difflib
import traceback
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError, meta, nodes

from rag.errors import SetupError
from rag.retrieve.prompting.fence import Fence
from rag.retrieve.prompting.templates import (
    QUOTE,
    RENDERING_FAULTS,
    SEARCH,
    SUMMARY,
    SYSTEM,
    USER,
    VARIABLES,
    PassageText,
    Templates,
)
from rag.types import Message

_OPTION = "RAG_PROMPT__FOLDER"
_QUESTION = "sample-question"
_PASSAGES = (
    PassageText(1, "sample-text-1", "a.md > b", "a.md", "b", None),
    PassageText(2, "sample-text-2", "c.pdf", "c.pdf", "", 7),
)


def open_templates(folder: Path | None, *, fence: bool) -> Templates:
    """The templates, checked.

    Args:
        folder: The user's templates; any that are missing come from this package. None: all do.
        fence: Whether a fence marks passages as data.

    Raises:
        SetupError: a template is unusable; names file and line.
    """
    if folder is not None and not folder.is_dir():
        raise SetupError(f"{_OPTION}: {folder} is not a folder", param=_OPTION)
    if folder is not None and not any((folder / name).is_file() for name in VARIABLES):
        raise SetupError(f"{_OPTION}: {folder} has none of {', '.join(VARIABLES)}", param=_OPTION)
    templates = Templates(folder, has_fence=fence)
    files = {name: _read(templates.environment, name) for name in VARIABLES}
    _render(templates, SYSTEM, files[SYSTEM], fence=fence)
    _check_user(templates, files[USER])
    _check_quote(templates, files[QUOTE])
    _check_search(templates, files[SEARCH])
    _check_summary(templates, files[SUMMARY])
    return templates


def _read(environment: Environment, name: str) -> str:
    """Parse the template and return its file. Raises SetupError for syntax errors and unknown variables."""
    assert environment.loader is not None
    file: str | None = name
    try:
        source, file, _ = environment.loader.get_source(environment, name)
        tree = environment.parse(source, name, file)
    except TemplateSyntaxError as error:
        raise _fault(error.filename or name, error.lineno, error.message or "invalid template syntax") from error
    except (UnicodeDecodeError, OSError) as error:
        raise _fault(file or name, 1, f"could not be read: {error}") from error
    for unknown in sorted(meta.find_undeclared_variables(tree) - set(VARIABLES[name])):
        raise _fault(file or name, _line_of(tree, unknown), _unknown(unknown, VARIABLES[name]))
    return file or name


def _check_user(templates: Templates, file: str) -> None:
    fence = Fence("<sample>", "</sample>") if templates.has_fence else None
    bare = _render(templates, USER, file, question=_QUESTION, passages=[], fence=None)
    whole = _render(templates, USER, file, question=_QUESTION, passages=list(_PASSAGES), fence=fence)
    if _QUESTION not in bare or _QUESTION not in whole:
        raise _fault(file, 1, "leaves out the question: {{ question }}")
    _check_passages(file, whole, fence)


def _check_search(templates: Templates, file: str) -> None:
    fence = Fence("<sample>", "</sample>") if templates.has_fence else None
    _render(templates, SEARCH, file, passages=[], known=[], fence=None)
    _check_passages(file, _render(templates, SEARCH, file, passages=list(_PASSAGES), known=[], fence=fence), fence)
    if "[17]" not in _render(templates, SEARCH, file, passages=[], known=[17], fence=None):
        raise _fault(file, 1, "leaves out the numbers of known passages: [{{ number }}] of each of known")


def _check_passages(file: str, whole: str, fence: Fence | None) -> None:
    for passage in _PASSAGES:
        if passage.text not in whole:
            raise _fault(file, 1, "leaves out the passages: {{ passage.text }} of each of passages")
        if f"[{passage.number}]" not in whole:
            raise _fault(file, 1, "leaves out the passages' numbers, which answers cite: [{{ passage.number }}]")
        if fence and not whole.find(fence.open) < whole.find(passage.text) < whole.rfind(fence.close):
            fault = "has passages that are not between {{ fence.open }} and {{ fence.close }}"
            raise _fault(file, 1, f"{fault}; put them there, or set RAG_PROMPT__FENCE=false")


def _check_quote(templates: Templates, file: str) -> None:
    whole = _render(templates, QUOTE, file, question=_QUESTION, quotes=[passage.text for passage in _PASSAGES])
    if _QUESTION not in whole:
        raise _fault(file, 1, "leaves out the question: {{ question }}")
    if any(passage.text not in whole for passage in _PASSAGES):
        raise _fault(file, 1, "leaves out the quotes: {{ quote }} of each of quotes")


def _check_summary(templates: Templates, file: str) -> None:
    turns = [Message("user", "sample-turn-1"), Message("assistant", "sample-turn-2")]
    _render(templates, SUMMARY, file, turns=[], summary="", instructions="")
    whole = _render(templates, SUMMARY, file, turns=turns, summary="sample-summary", instructions="sample-instructions")
    if any(turn.content not in whole for turn in turns):
        raise _fault(file, 1, "leaves out the turns: {{ turn.content }} of each of turns")
    if "sample-summary" not in whole:
        raise _fault(file, 1, "leaves out the summary of the turns before these: {{ summary }}")


def _render(templates: Templates, name: str, file: str, **values: object) -> str:
    try:
        return templates.render(name, **values)
    except TemplateSyntaxError as error:  # in an included file
        raise _fault(error.filename or file, error.lineno, error.message or "invalid template syntax") from error
    except RENDERING_FAULTS as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".jinja")]
        place = (frames[-1].filename, frames[-1].lineno or 1) if frames else (file, 1)
        raise _fault(*place, str(error) or type(error).__name__) from error


def _line_of(tree: nodes.Template, variable: str) -> int:
    return next((node.lineno for node in tree.find_all(nodes.Name) if node.name == variable), 1)


def _unknown(variable: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(variable, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"available: {', '.join(known)}"
    return f"unknown variable {variable}; {hint}"


def _fault(file: str, line: int, what: str) -> SetupError:
    return SetupError(f"{_OPTION}: {file}, line {line}: {what}", param=_OPTION)
