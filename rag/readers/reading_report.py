"""Reports what could not be read of a file, and why, in sentences for its owner."""

from __future__ import annotations

from typing import Final

from rag.types import ReadingWarning

MAX_WARNINGS: Final = 50
"""Further ones are only counted."""


def _counted(noun: str, verb_phrase: str, rest: str = "") -> tuple[str, str]:
    """`1 picture was not read`, `2 pictures were not read`."""
    return f"{{count}} {noun} was {verb_phrase}{rest}", f"{{count}} {noun}s were {verb_phrase}{rest}"


TEXTS: Final[dict[str, str | tuple[str, str]]] = {
    "pictures": _counted("picture", "not read {place}"),
    "pictures_without_text": _counted("picture", "not read for lack of alternative text"),
    "embedded_pages": _counted("embedded page", "not read"),
    "embedded_objects": _counted("embedded object", "not read"),
    "videos": _counted("video", "not read"),
    "sound_recordings": _counted("sound recording", "not read"),
    "drawings": _counted("drawing", "not read"),
    "comments": _counted("comment", "not read"),
    "attached_files": _counted("attached file", "not read"),
    "boilerplate": "navigation and other boilerplate was left out ({count:,} characters)",
    "hidden_text": "hidden text was left out ({count:,} characters)",
    "needs_javascript": "the page has almost no text without JavaScript",
    "wrong_encoding": "the text is not in the encoding {name!r} that the upload declares; its encoding was detected",
    "replaced_bytes": _counted("byte sequence", "replaced by U+FFFD", ": not valid {name}"),
    "missing_slide": "slide {name} is missing in the file",
    "damaged_slide": "slide {name} is damaged and was not read",
    "hidden_slide": "slide {name} is hidden; it was read",
    "missing_notes": "the notes page of slide {name} is missing in the file",
    "damaged_notes": "the notes page of slide {name} is damaged and was not read",
    "missing_comments": "the comments on slide {name} are missing or damaged",
    "hidden_shape": "a hidden shape {place} was read",
    "handwriting": "handwriting {place} was not read",
    "video": "a video {place} was not read",
    "sound": "a sound {place} was not read",
    "embedded_object": "an embedded object {place} was not read",
    "embedded_object_of_type": "an embedded object {place} was not read ({type})",
    "chart_missing": "a chart {place} was not read: its data is missing",
    "chart_damaged": "a chart {place} was not read: its data is damaged",
    "chart_empty": "a chart {place} was not read: it has neither a title nor values",
    "diagram_missing": "a diagram {place} was not read: its data is missing",
    "diagram_damaged": "a diagram {place} was not read: its data is damaged",
    "hidden_sheet": "the hidden sheet '{name}' was not read",
    "missing_sheet": "the missing sheet '{name}' was not read",
    "macro_sheet": "the macro or dialog sheet '{name}' was not read",
    "chart_sheet": "the chart sheet '{name}' was not read",
    "hidden_rows": _counted("hidden row", "read {place}"),
    "hidden_columns": _counted("hidden column", "read {place}"),
    "unsaved_formulas": _counted(
        "formula", "not calculated", ", since the file has no saved value; the formula was read"
    ),
    "damaged_part": "the {name} part is damaged and was not read",
    "unlisted_chapter": "chapter {name} is missing from the e-book's list of files",
    "missing_chapter": "chapter {name} is missing from the e-book",
    "long_header": "the header {name} is longer than {count:,} characters; the rest was not read",
    "attachment": "the attachment {name} was not read: {reason}",
    "damaged_pages": (
        "page {pages} could not be read: the file is damaged there",
        "pages {pages} could not be read: the file is damaged there",
    ),
    "unrecognized_pages": ("no text was recognized on page {pages}", "no text was recognized on pages {pages}"),
    "scanned_pages": (
        "page {pages} has (almost) no text and looks like a scan; {hint}",
        "pages {pages} have (almost) no text and look like scans; {hint}",
    ),
    "xfa_form": "the form was not read: it is an XFA form, which only Adobe Acrobat shows; "
    "print it to a PDF and upload that",
    "more_warnings": "{count} further warnings are not listed",
}
"""By code; of two texts, the first is for a `count` of one. Codes and names of values are part of the API."""
PLACES: Final = {
    "slide": "on slide {name}",
    "notes": "on the notes page of slide {name}",
    "sheet": "in the sheet '{name}'",
}
"""By the value `place`. What is said of the whole file has none."""


def warning(code: str, **values: str | int) -> ReadingWarning:
    """The warning with a code of `TEXTS` and the values that its text names.

    A warning says what was not read, and why if that is not obvious: `2 pictures were not read`, `slide 3 is hidden; it
    was read`.
    """
    text = TEXTS[code]
    if not isinstance(text, str):
        text = text[0] if values["count"] == 1 else text[1]
    place = PLACES.get(str(values.get("place")), "").format_map(values)
    return ReadingWarning(text.format_map({**values, "place": place}), code, values)


class ReadingReport:
    """Collects the warnings about one file."""

    def __init__(self) -> None:
        self._warnings: dict[ReadingWarning, None] = {}
        self._omitted = 0

    def warn(self, warning: ReadingWarning) -> None:
        """Add a warning. One that was added before is ignored."""
        if warning in self._warnings:
            return
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings[warning] = None
        else:
            self._omitted += 1

    def warnings(self) -> tuple[ReadingWarning, ...]:
        """In the order in which they were added."""
        more = (warning("more_warnings", count=self._omitted),) if self._omitted else ()
        return (*self._warnings, *more)
