"""Every error this project raises on purpose.

    RagError
    |-- InvalidRequest            invalid_request            the caller must change the request
    |   |-- EmptyQuestion         empty_question
    |   |-- InvalidFilter         invalid_filter
    |   |-- UnsupportedIndex      unsupported_index          the connected Milvus has no such index or field
    |   `-- ContextLengthExceeded context_length_exceeded
    |-- NotFound                  not_found                  no such route
    |   |-- FileNotFound          file_not_found
    |   |-- VectorStoreNotFound   vector_store_not_found
    |   `-- ModelNotFound         model_not_found
    |-- MethodNotAllowed          method_not_allowed
    |-- Forbidden                 forbidden                  the settings, or the key, do not allow it
    |-- Conflict                  conflict
    |   `-- EmbeddingMismatch     embedding_mismatch
    |-- FileTooLarge              file_too_large
    |-- UnsupportedFile           unsupported_file           no text can be had from a file
    |   |-- NoTextFound           no_text_found              it is whole, but has none: a scan, an empty form
    |   |-- EncryptedFile         encrypted_file             it wants a password
    |   |-- BrokenFile            broken_file                it is not what it claims to be
    |   `-- ParsingLimit          parsing_limit              it took too much time, memory or text
    |-- Overloaded                overloaded                 try again, later
    |-- Unavailable               (not raised itself)
    |   |-- Starting              starting
    |   |-- Draining              draining
    |   `-- DependencyUnavailable dependency_unavailable
    |-- DeadlineExceeded          timeout
    |-- InternalError             internal_error             a defect of ours
    `-- SetupError                setup_error                the service cannot start as configured

`rag.http.error_table` maps each to its HTTP status. A message says what failed, on what, and what
to try; it never holds a secret, a prompt or a document's text.
"""

from __future__ import annotations

from typing import ClassVar


class RagError(Exception):
    """Root of the tree. `param` names the request field or file at fault, if there is one."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(RagError):
    code = "invalid_request"


class EmptyQuestion(InvalidRequest):
    code = "empty_question"


class InvalidFilter(InvalidRequest):
    code = "invalid_filter"


class UnsupportedIndex(InvalidRequest):
    code = "unsupported_index"


class ContextLengthExceeded(InvalidRequest):
    code = "context_length_exceeded"


class NotFound(RagError):
    code = "not_found"


class FileNotFound(NotFound):
    code = "file_not_found"


class VectorStoreNotFound(NotFound):
    code = "vector_store_not_found"


class ModelNotFound(NotFound):
    code = "model_not_found"


class MethodNotAllowed(RagError):
    code = "method_not_allowed"


class Forbidden(RagError):
    code = "forbidden"


class Conflict(RagError):
    code = "conflict"


class EmbeddingMismatch(Conflict):
    code = "embedding_mismatch"


class FileTooLarge(RagError):
    code = "file_too_large"


class UnsupportedFile(RagError):
    code = "unsupported_file"


class NoTextFound(UnsupportedFile):
    code = "no_text_found"


class EncryptedFile(UnsupportedFile):
    code = "encrypted_file"


class BrokenFile(UnsupportedFile):
    code = "broken_file"


class ParsingLimit(UnsupportedFile):
    code = "parsing_limit"


class Overloaded(RagError):
    code = "overloaded"
    retryable = True


class Unavailable(RagError):
    code = "dependency_unavailable"
    retryable = True


class Starting(Unavailable):
    code = "starting"


class Draining(Unavailable):
    code = "draining"


class DependencyUnavailable(Unavailable):
    code = "dependency_unavailable"


class DeadlineExceeded(RagError):
    code = "timeout"
    retryable = True


class InternalError(RagError):
    code = "internal_error"
    retryable = True


class SetupError(RagError):
    code = "setup_error"


def all_errors(root: type[RagError] = RagError) -> list[type[RagError]]:
    """Every class of the tree below `root`, parents first."""
    found: list[type[RagError]] = []
    for child in root.__subclasses__():
        found += [child, *all_errors(child)]
    return found


def error_class(code: str) -> type[RagError]:
    """The most general class with this code; `InternalError` when there is none."""
    return next((cls for cls in all_errors() if cls.code == code and cls is not Unavailable), InternalError)
