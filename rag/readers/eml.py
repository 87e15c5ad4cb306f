"""E-mail: the subject as a heading, sender, recipients, date and text, then the attachments, each under its name."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import re
import tempfile
from collections.abc import Iterator
from email.errors import MessageError
from email.message import EmailMessage, MIMEPart
from pathlib import Path
from typing import Final, cast

from rag.errors import BrokenFile, RagError, UnsupportedFile
from rag.readers.decoding import decode
from rag.readers.extract.text_builder import DocumentBlock, TextBuilder
from rag.readers.html.reader import parse_html
from rag.readers.reading_report import warning
from rag.readers.source import SourceFile
from rag.types import Extract

_HEADERS = ("From", "To", "Cc", "Date")
_EMAIL_HEADERS = ("from", "to", "subject", "date", "received", "message-id", "content-type", "mime-version")
MAX_DEPTH: Final = 5
"""The limit for messages within messages."""
MAX_ATTACHMENTS: Final = 100
"""Read of one file; further ones are reported."""
MAX_HEADER_CHARS: Final = 16_384
"""The limit for one header; the rest is reported."""
_MIN_NEW_WORDS = 4
_MAX_NEW_SHARE = 0.4
"""An HTML alternative with more words that the plain part lacks says something else: the plain part is a stub."""
_MIN_SHARED = 0.7
"""Share of the plain part's words that its HTML alternative must have, to be read for the sake of its tables."""
_WORD = re.compile(r"\w+")
_URL = re.compile(r"\w+://\S+")
_REPORTS = ("message/delivery-status", "message/disposition-notification", "text/rfc822-headers")
"""Parts that consist of headers."""
_UNREAD_PARTS = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
"""Signatures, whose omission is not reported."""


class _Policy(email.policy.EmailPolicy):
    """Cuts long headers: parsing one with 20,000 parameters takes seconds."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MAX_HEADER_CHARS]


def read(source: SourceFile) -> Extract:
    message = cast(EmailMessage, email.message_from_bytes(source.content(), policy=_Policy()))
    if not any(name in message for name in _EMAIL_HEADERS):
        raise BrokenFile("is not an e-mail: it has no e-mail headers")
    builder = TextBuilder(source)
    _MailReader(source, builder).message(message, 1)
    for name in sorted({name for part in message.walk() for name, value in part.raw_items() if _is_cut(value)}):
        builder.warn(warning("long_header", name=name, count=MAX_HEADER_CHARS))
    language = _header(message, "Content-Language") or next(
        (found for part in message.walk() if (found := _header(part, "Content-Language"))), ""
    )
    return builder.extract(title=_header(message, "Subject"), language=language)


def _is_cut(value: object) -> bool:
    return len(str(value)) >= MAX_HEADER_CHARS


class _MailReader:
    """Adds a message and what is attached to it."""

    def __init__(self, source: SourceFile, builder: TextBuilder) -> None:
        self._source = source
        self._builder = builder
        self._attachments = 0

    def message(self, message: MIMEPart, level: int, name: str = "") -> None:
        """A message, whose subject is a heading of this level; `name` if it has no subject."""
        if subject := _header(message, "Subject") or name:
            self._builder.add_heading(min(level, 6), subject)
        self._builder.add("  \n".join(f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))))
        attachments: list[MIMEPart] = []
        for part in _leaves(message):
            if _is_text(part):
                self._builder.add_blocks(_lowered(_blocks(part, self._builder), level))
            else:
                attachments.append(part)
        for part in attachments:
            self._attachment(part, level + 1)

    def _attachment(self, part: MIMEPart, level: int) -> None:
        name = _attachment_name(part)
        self._attachments += 1
        if part.get_content_type() in _UNREAD_PARTS:
            return
        if level > MAX_DEPTH:
            self._not_read(name, "it is in a message within a message within others")
        elif self._attachments > MAX_ATTACHMENTS:
            self._not_read(name, f"only {MAX_ATTACHMENTS} attachments are read")
        elif part.get_content_type() == "message/rfc822":
            for inner in _parts(part):
                self.message(inner, level, name)
        elif name.lower().endswith(".eml"):
            self.message(email.message_from_bytes(_content(part), policy=email.policy.default), level, name)
        else:
            self._file(name, _content(part), level)

    def _not_read(self, name: str, reason: str) -> None:
        self._builder.warn(warning("attachment", name=name, reason=reason.removeprefix("cannot be read: ")))

    def _file(self, name: str, content: bytes, level: int) -> None:
        try:
            extract = self._read(name, content)
        except MemoryError:
            raise
        except RagError as error:
            self._not_read(name, error.message.removeprefix(name).partition(". Supported are")[0].strip())
            return
        except Exception as error:  # its reader does not handle it; the message is read all the same
            self._not_read(name, f"it is damaged or malformed ({type(error).__name__})")
            return
        self._builder.add_heading(min(level, 6), f"Attachment: {name}")
        self._builder.add_blocks(list(_extract_blocks(extract, level)))
        for each in extract.warnings:
            self._builder.warn(each.of_part(name))

    def _read(self, name: str, content: bytes) -> Extract:
        from rag.readers import read as read_file

        options = dataclasses.replace(self._source.options, charset="")
        with tempfile.NamedTemporaryFile(prefix="attachment-") as file:
            file.write(content)
            file.flush()
            return read_file(Path(file.name), name, options)


def _leaves(message: MIMEPart) -> Iterator[MIMEPart]:
    """The parts with content, in order; of alternatives only the best."""
    is_whole = message.get_content_type() in ("message/rfc822", *_REPORTS)
    if is_whole or not message.is_multipart():
        yield message
    elif message.get_content_type() == "multipart/alternative":
        yield from _best_alternative(message)
    else:
        for part in _parts(message):
            if _is_attached(part) or part.get_content_type() == "message/rfc822":
                yield part
            else:
                yield from _leaves(part)


def _parts(message: MIMEPart) -> list[MIMEPart]:
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, MIMEPart)] if isinstance(payload, list) else []


def _best_alternative(message: MIMEPart) -> Iterator[MIMEPart]:
    """The plain text, unless it is a stub of the HTML or lacks its tables; and attachments within an alternative."""
    leaves = [leaf for part in _parts(message) for leaf in _leaves(part)]
    plain = [leaf for leaf in leaves if _is_text(leaf) and leaf.get_content_subtype() != "html"]
    html = [leaf for leaf in leaves if _is_text(leaf) and leaf.get_content_subtype() == "html"]
    yield from html if html and _says_more(html, plain) else plain
    yield from (leaf for leaf in leaves if not _is_text(leaf))


def _says_more(html: list[MIMEPart], plain: list[MIMEPart]) -> bool:
    """Whether the HTML has words that the plain text lacks, or has tables, which plain text takes apart."""
    plain_words = _words("\n".join(map(_part_text, plain)))
    if not plain_words:
        return True
    blocks = [block.text for part in html for block in parse_html(_part_text(part)).blocks]
    words = _words("\n".join(blocks))
    new = len(words - plain_words)
    if new >= _MIN_NEW_WORDS and new > _MAX_NEW_SHARE * len(words):
        return True
    has_table = any(text.startswith("| ") and "\n| --- |" in text for text in blocks)
    return has_table and len(plain_words & words) >= _MIN_SHARED * len(plain_words)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_URL.sub("", text).casefold()))


def _is_attached(part: MIMEPart) -> bool:
    return part.is_attachment() or (bool(part.get_filename()) and part.get_content_maintype() != "multipart")


def _is_text(part: MIMEPart) -> bool:
    is_text = part.get_content_maintype() == "text" or part.get_content_type() in _REPORTS
    return is_text and not _is_attached(part)


def _header(message: MIMEPart, name: str) -> str:
    try:
        value = message[name]
        return " ".join(str(value).split()) if value is not None else ""
    except (
        MessageError,
        ValueError,
        IndexError,
        AttributeError,
        TypeError,
    ):  # the standard library itself fails on malformed headers
        return ""


def _attachment_name(part: MIMEPart) -> str:
    return " ".join((part.get_filename() or "").split()) or f"unnamed {part.get_content_type()}"


def _blocks(part: MIMEPart, builder: TextBuilder) -> list[DocumentBlock]:
    text = _part_text(part, builder)
    if part.get_content_subtype() != "html":
        return [DocumentBlock(text)]
    page = parse_html(text)
    for each in page.warnings:
        builder.warn(each)
    return page.blocks


def _lowered(blocks: list[DocumentBlock], level: int) -> list[DocumentBlock]:
    """Blocks whose headings stand below one of this level, apart from the first message's."""
    if level == 1:
        return blocks
    return [block._replace(level=min(6, block.level + level)) if block.level else block for block in blocks]


def _extract_blocks(extract: Extract, level: int) -> Iterator[DocumentBlock]:
    """The text of an attachment, cut at its headings."""
    starts = [heading.start for heading in extract.headings]
    yield DocumentBlock(extract.text[: starts[0] if starts else None])
    for index, heading in enumerate(extract.headings):
        section = extract.text[heading.start : ([*starts, len(extract.text)])[index + 1]]
        first, _, rest = section.partition("\n")
        depth = heading.path.count(" > ") + 1
        yield DocumentBlock(first, min(6, level + depth), heading.path.rpartition(" > ")[2])
        yield DocumentBlock(rest)


def _content(part: MIMEPart) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else str(content or "").encode("utf-8", "replace")


def _part_text(part: MIMEPart, builder: TextBuilder | None = None) -> str:
    """Decoded as the part declares, else by content."""
    if part.get_content_type() in _REPORTS and part.is_multipart():
        groups = (each.raw_items() for each in _parts(part))
        return "\n\n".join("\n".join(f"{name}: {value}" for name, value in group) for group in groups)
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return str(content or "")
    is_html = part.get_content_subtype() == "html"
    declared = part.get_content_charset("")
    try:
        return decode(content, charset=declared, is_html=is_html, warn=builder.warn if builder else lambda _: None)
    except UnsupportedFile:
        return content.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
