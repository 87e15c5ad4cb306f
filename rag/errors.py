"""The errors that this project raises, and their codes in responses.

    RagError
    |-- InvalidRequest            invalid_request            the client must change the request
    |   |-- EmptyQuestion         empty_question
    |   |-- InvalidFilter         invalid_filter
    |   |-- UnsupportedIndex      unsupported_index          Milvus does not have this index or kind of field
    |   `-- ContextLengthExceeded context_length_exceeded
    |-- NotFound                  not_found                  no such route
    |   |-- FileNotFound          file_not_found
    |   |-- VectorStoreNotFound   vector_store_not_found
    |   `-- ModelNotFound         model_not_found
    |-- MethodNotAllowed          method_not_allowed
    |-- Unauthenticated           invalid_api_key            no API key, or one that is not valid
    |-- Forbidden                 forbidden                  not allowed by the settings
    |   |-- InsufficientPermissions insufficient_permissions not allowed to this API key
    |   `-- QuotaExceeded         quota_exceeded           the API key or its tenant may not store more
    |-- Conflict                  conflict
    |   `-- EmbeddingMismatch     embedding_mismatch
    |-- FileTooLarge              file_too_large
    |-- UnsupportedFile           unsupported_file           no text can be extracted from a file
    |   |-- NoTextFound           no_text_found              the file is valid but has no text, such as a scan
    |   |-- EncryptedFile         encrypted_file             the file is protected by a password
    |   |-- BrokenFile            broken_file                the file is damaged, or not of the type it claims
    |   `-- ParsingLimit          parsing_limit              reading it exceeded a limit of time, memory or text
    |-- RequestTimeout            request_timeout            the client stopped sending its request
    |-- Overloaded                overloaded                 too many requests: retry later
    |   `-- RateLimitExceeded     rate_limit_exceeded        too many requests or tokens of one API key or tenant
    |-- Unavailable               (abstract)
    |   |-- Starting              starting                   a service is still loading
    |   |-- Draining              draining                   a service is shutting down
    |   `-- DependencyUnavailable dependency_unavailable     Milvus, a model or another service does not answer
    |-- ToolServerFailed          tool_server_failed         an MCP server of the request does not list its tools
    |-- DeadlineExceeded          timeout
    |-- InternalError             internal_error             a bug in this project
    `-- SetupError                setup_error                the service cannot start as configured

`rag.http.error_table` maps each class to an HTTP status. A message says what failed, on what, and what to do about it.
It never contains a secret, a prompt or the text of a document.
"""

from __future__ import annotations

from typing import ClassVar


class RagError(Exception):
    """The base class of all errors of this project.

    Attributes:
        code: The code in responses.
        retryable: Whether the same request may succeed later.
        param: The field, option or file that caused the error, if there is one.
    """

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


class Unauthenticated(RagError):
    code = "invalid_api_key"


class Forbidden(RagError):
    code = "forbidden"


class InsufficientPermissions(Forbidden):
    code = "insufficient_permissions"


class QuotaExceeded(Forbidden):
    code = "quota_exceeded"


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
    """Attributes: `retry_after_s` is when the request will probably be admitted."""

    code = "overloaded"
    retryable = True

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: int = 1) -> None:
        super().__init__(message, param=param)
        self.retry_after_s = retry_after_s


class RateLimitExceeded(Overloaded):
    code = "rate_limit_exceeded"


class Unavailable(RagError):
    code = "dependency_unavailable"
    retryable = True


class Starting(Unavailable):
    code = "starting"


class Draining(Unavailable):
    code = "draining"


class DependencyUnavailable(Unavailable):
    code = "dependency_unavailable"


class ToolServerFailed(RagError):
    """Attributes: `kind` is OpenAI's name for the failure, and `number` its HTTP status or JSON-RPC code."""

    code = "tool_server_failed"

    def __init__(self, message: str, *, param: str | None = None, kind: str = "http_error", number: int = 424) -> None:
        super().__init__(message, param=param)
        self.kind = kind
        self.number = number


class RequestTimeout(RagError):
    code = "request_timeout"


class DeadlineExceeded(RagError):
    code = "timeout"
    retryable = True


class InternalError(RagError):
    code = "internal_error"
    retryable = True


class SetupError(RagError):
    code = "setup_error"


def all_errors(root: type[RagError] = RagError) -> list[type[RagError]]:
    """All subclasses of `root`, each before its own subclasses."""
    errors: list[type[RagError]] = []
    for child in root.__subclasses__():
        errors += [child, *all_errors(child)]
    return errors


def error_class(code: str) -> type[RagError]:
    """The most general class with this code; `InternalError` if there is none."""
    return next((cls for cls in all_errors() if cls.code == code and cls is not Unavailable), InternalError)
