"""What circuits and windows are kept for: a provider as a whole, one model with one credential, or one credential.

A credential is a Secret of one namespace. What concerns it alone (a bad key, a used-up subscription) never holds another namespace.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

ScopeKind = Literal["Provider", "Model", "Credential"]


class Credential(NamedTuple):
    """A Secret of the session's namespace: each team brings its own."""

    namespace: str
    secret: str


class Scope(NamedTuple):
    """What one circuit is for; fields that its kind does not have are empty."""

    kind: ScopeKind
    model: str = ""
    namespace: str = ""
    secret: str = ""


WHOLE = Scope("Provider")


def scopes(model: str, credential: Credential) -> tuple[Scope, Scope, Scope]:
    """The three circuits that a session passes through."""
    return WHOLE, Scope("Model", model, *credential), Scope("Credential", "", *credential)


def spoken(scope: Scope) -> str:
    """For a sentence."""
    match scope.kind:
        case "Provider":
            return "the provider"
        case "Model":
            return f"model {scope.model} with Secret {scope.secret}"
        case _:
            return f"Secret {scope.secret}"
