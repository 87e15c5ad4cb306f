"""The tool `mcp` of a response request: the tools of an MCP server, which the service calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from rag.errors import InvalidRequest
from rag.http.v1.documents.body import Body, Id
from rag.types import ServerTool, ToolServer

ServerLabel = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
MAX_SERVERS = 10
"""Of one request."""
_MAX_HEADERS = 32
_OWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "last-event-id",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that the service sets itself, or that affect the transport."""
_REFUSED = {
    "connector_id": "there are no connectors; give server_url",
    "tunnel_id": "there are no tunnels; give server_url",
}


def _printable(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable() and text == text.strip() and len(text) <= 8192):
        raise ValueError("must be printable ASCII, of 8192 characters at most")
    return value


_Secret = Annotated[SecretStr, AfterValidator(_printable)]


class McpToolFilter(Body):
    """Selects tools of a server. A tool must match each field that is set."""

    tool_names: list[Id] | None = Field(None, max_length=128)
    read_only: bool | None = None

    def selects(self, tool: ServerTool) -> bool:
        if self.tool_names is not None and tool.name not in self.tool_names:
            return False
        return self.read_only is None or tool.is_read_only == self.read_only


class McpApproval(Body):
    always: McpToolFilter | None = None
    never: McpToolFilter | None = None


class McpTool(Body):
    """The tool `mcp`. Headers and the token are sent only to the server."""

    type: Literal["mcp"]
    server_label: ServerLabel
    server_url: str = Field(min_length=1, max_length=2048)
    server_description: str | None = Field(None, max_length=4096)
    headers: dict[_HeaderName, _Secret] | None = Field(None, max_length=_MAX_HEADERS)
    authorization: _Secret | None = Field(None, description="A token, which is sent as `Authorization: Bearer ...`.")
    allowed_tools: list[Id] | McpToolFilter | None = None
    require_approval: Literal["always", "never"] | McpApproval | None = Field(
        None, description="Unset: every call needs approval, as in OpenAI's API."
    )
    allowed_callers: list[Literal["direct"]] | None = Field(
        None, description="Accepted without effect: only the language model calls tools, as there are no programs."
    )
    defer_loading: Literal[False] | None = Field(None, description="All tools are shown to the language model at once.")

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name, reason in _REFUSED.items():
                if data.get(name) is not None:
                    raise ValueError(f"{name} is not supported: {reason}")
            return {name: value for name, value in data.items() if name not in _REFUSED}
        return data

    def checked(self, field: str) -> None:
        """Raises InvalidRequest if headers cannot be sent. `field`: the name of the tool's field."""
        names = [name.lower() for name in self.headers or ()]
        for name in names:
            if name in _OWN_HEADERS or name.startswith(("mcp-", "proxy-", "x-forwarded-")):
                raise InvalidRequest(f"{field}.headers: {name} cannot be set", param=f"{field}.headers")
        if self.authorization is not None and "authorization" in names:
            message = f"{field}.authorization: cannot be combined with a header of that name; give one of them"
            raise InvalidRequest(message, param=f"{field}.authorization")

    def server(self) -> ToolServer:
        headers = {name: value.get_secret_value() for name, value in (self.headers or {}).items()}
        if self.authorization is not None:
            headers["Authorization"] = f"Bearer {self.authorization.get_secret_value()}"
        return ToolServer(self.server_label, self.server_url, headers)

    def allows(self, tool: ServerTool) -> bool:
        if isinstance(self.allowed_tools, McpToolFilter):
            return self.allowed_tools.selects(tool)
        return self.allowed_tools is None or tool.name in self.allowed_tools

    def needs_approval(self, tool: ServerTool) -> bool:
        """Whether a call of the tool must be approved. Tools that no filter selects must be."""
        rule = self.require_approval
        if not isinstance(rule, McpApproval):
            return rule != "never"
        if rule.always is not None and rule.always.selects(tool):
            return True
        return rule.never is None or not rule.never.selects(tool)
