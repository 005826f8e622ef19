"""Which headers pass the gateway, in both directions.

The agent's credentials are placeholders and end here; the provider's is put in. What concerns only one connection
(hop-by-hop, RFC 9110 section 7.6.1) ends here too. All else is passed on unchanged, `anthropic-beta` included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from multidict import CIMultiDict

from stint.gateway.config import Auth

OAUTH_BETA = "oauth-2025-04-20"
NO_RETRY = ("x-should-retry", "false")

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "trailers", "transfer-encoding", "upgrade", "proxy-authenticate")
)
_CREDENTIALS = frozenset(
    (
        "x-api-key",
        "api-key",
        "authorization",
        "proxy-authorization",
        "cookie",
        "cookie2",
        "x-goog-api-key",
        "x-amz-security-token",
        "x-auth-token",
    )
)
# Set anew for the next hop. Identity encoding, so that what the meter reads is what the agent gets.
_OWN = frozenset(("host", "content-length", "accept-encoding", "expect"))
# Cookies would tie the agent to a state it must not hold; alt-svc would advertise a way around the gateway.
_NOT_FOR_THE_AGENT = frozenset(("set-cookie", "set-cookie2", "alt-svc"))


def to_provider(headers: Iterable[tuple[str, str]], auth: Auth, secret: str) -> CIMultiDict[str]:
    """The request's headers with the credential in the place of the agent's placeholder."""
    kept = _without(headers, _HOP_BY_HOP | _CREDENTIALS | _OWN)
    kept["Accept-Encoding"] = "identity"
    if auth == "APIKey":
        kept["x-api-key"] = secret
        return kept
    kept["Authorization"] = f"Bearer {secret}"
    if auth == "SetupToken":
        betas = [beta.strip() for value in kept.popall("anthropic-beta", []) for beta in value.split(",") if beta.strip()]
        kept["anthropic-beta"] = ",".join(betas if OAUTH_BETA in betas else [*betas, OAUTH_BETA])
    return kept


def to_agent(headers: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """The answer's headers; its body is passed on as it is, so length and encoding stay."""
    return _without(headers, _HOP_BY_HOP | _NOT_FOR_THE_AGENT)


def error_to_agent(headers: Mapping[str, str], status: int) -> CIMultiDict[str]:
    """The headers of an error whose body is written anew, decoded and redacted.

    The CLI tries a 401 again for three minutes, though no key gets better by waiting: it is told not to.
    """
    kept = _without(headers.items(), _HOP_BY_HOP | _NOT_FOR_THE_AGENT | {"content-length", "content-encoding"})
    if status in (401, 403):
        kept[NO_RETRY[0]] = NO_RETRY[1]
    return kept


def _without(headers: Iterable[tuple[str, str]], dropped: frozenset[str]) -> CIMultiDict[str]:
    pairs = list(headers)
    nominated = {word.strip().lower() for name, value in pairs if name.lower() == "connection" for word in value.split(",")}
    return CIMultiDict((name, value) for name, value in pairs if name.lower() not in dropped and name.lower() not in nominated)
