"""E-mail: the subject as a heading, sender, recipients, date and body. Attachments are listed, but not read."""

from __future__ import annotations

import email
import email.policy
from email.errors import MessageError
from email.message import EmailMessage, MIMEPart

from rag.errors import BrokenFile, UnsupportedFile
from rag.readers.decoding import decode
from rag.readers.html.reader import parse_html
from rag.readers.source import SourceFile
from rag.readers.text_builder import Block, TextBuilder
from rag.types import Extract

_HEADERS = ("From", "To", "Cc", "Date")
_EMAIL_HEADERS = ("from", "to", "subject", "date", "received", "message-id", "content-type", "mime-version")


def read(source: SourceFile) -> Extract:
    message = email.message_from_bytes(source.content(), policy=email.policy.default)
    if not any(name in message for name in _EMAIL_HEADERS):
        raise BrokenFile("is not an e-mail: it has no e-mail headers")
    builder = TextBuilder(source)
    subject = _header(message, "Subject")
    if subject:
        builder.add_heading(1, subject)
    builder.add("  \n".join(f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))))
    body = _body(message)
    if body is not None:
        builder.add_blocks(_blocks(body))
    if names := [name for part in message.iter_attachments() if (name := _attachment_name(part))]:
        builder.add(f"Attachments (not read): {', '.join(names)}")
    language = _header(message, "Content-Language") or (_header(body, "Content-Language") if body is not None else "")
    return builder.extract(title=subject, language=language)


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


def _body(message: EmailMessage) -> MIMEPart | None:
    """The part that a mail program would show: plain text, else HTML, else any other text."""
    texts = (part for part in message.walk() if part.get_content_maintype() == "text" and not part.is_attachment())
    return message.get_body(("plain", "html")) or next(texts, None)


def _blocks(part: MIMEPart) -> list[Block]:
    text = _part_text(part)
    return parse_html(text).blocks if part.get_content_subtype() == "html" else [Block(text)]


def _part_text(part: MIMEPart) -> str:
    """Decoded as the part declares, else by content."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return str(content or "")
    try:
        return decode(content, charset=part.get_content_charset("utf-8"), is_html=part.get_content_subtype() == "html")
    except UnsupportedFile:
        return content.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
