"""Signed tokens: which are valid, and the keys that they are verified with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rag.adapters.memory_counters import MemoryCounters
from rag.auth.key_secret import new_secret
from rag.errors import DependencyUnavailable, Unauthenticated
from rag.http.auth.signed_tokens.json_web_keys import reader
from rag.http.auth.signed_tokens.token_callers import could_be_token
from rag.http.auth.token_limits import TokenLimits
from rag.http.clients.service_client import ServiceClient
from rag.http.clients.upstream_services import UpstreamServices
from rag.http.native.rag_api import RagApi
from tests.support.servers.edge_service import OPTIONS
from tests.support.servers.identity_provider import AUDIENCE, EC, ED, ISSUER, KEYS, RSA, Provider, jwk, token
from tests.support.servers.loopback import app_of, served


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def refusal(text: str, provider: Provider | None = None, *algorithms: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await (provider or Provider()).verifier(*algorithms).claims(text)
    assert caught.value.code == "invalid_api_key"
    return caught.value.message


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(RSA, "RS256", "r"), (RSA, "PS256", "r"), (EC, "ES256", "e"), (ED, "EdDSA", "d")]
)
async def test_valid_tokens(key: Any, algorithm: str, kid: str) -> None:
    claims = await Provider().verifier().claims(token(key, algorithm, kid, groups=["hr"]))
    assert (claims["sub"], claims["groups"]) == ("ada", ["hr"])


async def test_the_audience_may_be_one_of_several() -> None:
    assert await Provider().verifier().claims(token(aud=["x", "other"]))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": None}, "has no claim exp"),
        ({"iss": None}, "has no claim iss"),
        ({"aud": None}, "has no claim aud"),
        ({"sub": None}, "has no claim sub"),
        ({"iss": f"{ISSUER}/"}, "is from another issuer"),
        ({"aud": "ra"}, "is for another audience"),
        ({"aud": ["x", "y"]}, "is for another audience"),
        ({"exp": 1}, "has expired"),
        ({"nbf": 2**40}, "is not valid yet"),
        ({"iat": 2**40}, "is not valid yet"),
        ({"exp": "soon"}, "is malformed"),
        ({"exp": float("inf")}, "is malformed"),
        ({"exp": {}}, "is malformed"),
        ({"aud": [7]}, "is for another audience"),
    ],
)
async def test_invalid_claims_are_named(changes: dict[str, Any], reason: str) -> None:
    assert await refusal(token(**changes)) == f"the token {reason}"


async def test_the_clocks_may_differ() -> None:
    now = int(time.time())
    assert await Provider().verifier().claims(token(exp=now - 20, nbf=now + 20))
    assert await refusal(token(exp=now - 40)) == "the token has expired"


async def test_a_token_without_signature_is_refused() -> None:
    _, claims, _ = token().split(".")
    for algorithm in ("none", "None", "NONE", "nOnE"):
        message = await refusal(f"{part({'alg': algorithm, 'kid': 'r'})}.{claims}.")
        assert "accepted: RS256" in message
    assert await refusal(f"{part({'alg': 'RS256', 'kid': 'r'})}.{claims}.") == "the token has an invalid signature"


async def test_a_public_key_is_no_shared_secret() -> None:
    """The attack: sign with HS256, and the public key, which everyone knows, as the secret."""
    _, claims, _ = token().split(".")
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (public, json.dumps(KEYS[0]).encode()):
        signed = f"{part({'alg': 'HS256', 'kid': 'r'})}.{claims}"
        signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
        assert "is signed with 'HS256'" in await refusal(f"{signed}.{part(signature)}")


async def test_a_shared_key_in_the_jwks_is_ignored() -> None:
    secret = b"s" * 64
    shared = {"kty": "oct", "kid": "s", "k": part(secret)}
    text = jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "exp": 2**40}, secret, "HS256", {"kid": "s"})
    assert "is signed with 'HS256'" in await refusal(text, Provider([*KEYS, shared]))
    assert "unknown key" in await refusal(text, Provider([*KEYS, shared]), "HS256")


async def test_signatures_of_other_keys_are_refused() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert await refusal(token(other)) == "the token has an invalid signature"
    assert await refusal(token(kid="nobody")) == "the token is signed with the unknown key 'nobody'"
    header, _, signature = token().split(".")
    _, claims, _ = token(sub="eve").split(".")
    assert await refusal(f"{header}.{claims}.{signature}") == "the token has an invalid signature"


async def test_the_algorithm_must_be_the_one_of_the_key() -> None:
    assert await refusal(token(EC, "ES256", "r")) == "the token is malformed"  # an RSA key
    only = Provider([jwk(RSA, "RS256", "r", alg="RS256")])
    message = await refusal(token(algorithm="PS256"), only)
    assert message == "the token is signed with another algorithm than its key is for"
    assert "accepted: ES256" in await refusal(token(), None, "ES256")


async def test_weak_keys_are_refused() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        text = token(weak)
    await refusal(text, Provider([jwk(weak, "RS256", "r")]))


@pytest.mark.parametrize(
    "text",
    [
        "a.b.c",
        "..",
        "é.b.c",
        f"{part([])}.{part({})}.x",
        f"{part({'alg': 'RS256', 'kid': 7})}.{part({})}.x",
        f"{part({'alg': ['RS256']})}.{part({})}.x",
        f"{part(b'[' * 9000)}.{part({})}.x",
        f"{part({'alg': 'RS256', 'kid': 'r', 'crit': ['x'], 'x': 1})}.{part({})}.x",
        f"{part({'alg': 'RS256', 'kid': 'r'})}.{part(b'[' * 9000)}.x",
    ],
)
async def test_malformed_tokens_are_refused(text: str) -> None:
    await refusal(text)


async def test_a_token_without_key_id_needs_a_single_key() -> None:
    for kid in ("r", None):
        assert await Provider([jwk(RSA, "RS256", kid)]).verifier().claims(token(kid=None))
    assert await refusal(token(kid=None)) == "the token names no key (kid)"


def test_secrets_of_api_keys_are_no_tokens() -> None:
    assert could_be_token(token())
    assert not any(could_be_token(text) for text in (new_secret(), "sk-1", "a.b", "a.b.c.d", "a b.c.d", ""))


# --- the keys ----------------------------------------------------------------------------------


async def test_keys_are_read_once() -> None:
    provider = Provider()
    for _ in range(3):
        await provider.verifier().claims(token())
    assert provider.reads == 1


async def test_an_unknown_key_is_looked_up_again_but_not_too_often() -> None:
    provider = Provider(KEYS[1:])
    await refusal(token(), provider)
    provider.document = {"keys": KEYS}
    for _ in range(5):  # the provider has a new key, but any client can send an unknown one
        await refusal(token(), provider)
    assert provider.reads == 1
    provider.now += 11
    assert await provider.verifier().claims(token())
    assert provider.reads == 2


async def test_known_keys_stay_while_the_provider_is_down() -> None:
    provider = Provider()
    await provider.verifier().claims(token())
    failures: list[Any] = [
        OSError("down"),
        TimeoutError(),
        b"not JSON",
        b"[" * 99_999,
        b"[]",
        {"keys": []},
        {"keys": 1},
    ]
    for broken in failures:
        provider.failure = broken if isinstance(broken, Exception) else None
        provider.document = broken
        provider.now += 11
        await refusal(token(kid="new"), provider)
        assert await provider.verifier().claims(token())
    assert provider.reads == 8


async def test_a_key_that_the_provider_withdraws_is_not_accepted_any_more() -> None:
    provider = Provider()
    await provider.verifier().claims(token())
    provider.document = {"keys": KEYS[1:]}
    await provider.keys._poll()
    provider.now += 11
    assert "unknown key" in await refusal(token(), provider)


@pytest.mark.parametrize(
    "document", [b"", {"keys": []}, {"keys": [{**KEYS[0], "use": "enc"}, {"kty": "oct", "k": "eA"}, 7]}]
)
async def test_without_keys_the_service_is_not_ready(document: Any) -> None:
    provider = Provider()
    provider.document = document
    with pytest.raises(DependencyUnavailable, match="RAG_JWT__JWKS"):
        provider.keys.check()
    with pytest.raises(DependencyUnavailable, match="RAG_JWT__JWKS"):
        await provider.verifier().claims(token())
    provider.document = {"keys": KEYS}
    assert await provider.keys._poll() == 300
    provider.keys.check()
    assert await provider.verifier().claims(token())


async def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    with pytest.raises(OSError, match="jwks"):
        await reader(str(file))()
    file.write_text(json.dumps({"keys": KEYS}))
    assert json.loads(await reader(str(file))())["keys"] == KEYS


async def test_keys_are_read_from_a_url() -> None:
    answers = iter(
        [
            JSONResponse({"keys": KEYS}),
            Response(status_code=500),
            Response(b" " * (2**20 + 1)),
        ]
    )

    async def handler(_: Request) -> Response:
        return next(answers)

    async with served(app_of(handler)) as url:
        assert json.loads(await reader(f"{url}/jwks")())["keys"] == KEYS
        with pytest.raises(aiohttp.ClientResponseError, match="500"):
            await reader(url)()
        with pytest.raises(ValueError, match="more than"):
            await reader(url)()
    with pytest.raises(aiohttp.ClientConnectionError):
        await reader(url)()


async def no_facts() -> dict[str, object]:
    return {"services": {}}


async def test_the_edge_is_ready_once_it_has_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider()
    provider.failure = OSError("no route to host")
    clients = {name: ServiceClient(name, "http://127.0.0.1:1") for name in ("Retriever", "LLM")}
    services = UpstreamServices(clients)
    monkeypatch.setattr(services, "ready", no_facts)
    api = RagApi(services, tokens=TokenLimits(MemoryCounters()), **OPTIONS, token_keys=provider.keys)
    with pytest.raises(DependencyUnavailable, match="not loaded yet"):
        await api.ready()
    assert await provider.keys._poll() < 10  # tried again soon
    with pytest.raises(DependencyUnavailable, match="no route to host"):
        await api.ready()
    provider.failure = None
    await provider.keys._poll()
    assert await api.ready() == {"services": {}}
