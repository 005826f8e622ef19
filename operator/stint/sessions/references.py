"""The Secrets and ConfigMaps that a session's pod will need, so that a missing one is named before a pod hangs on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from stint.api.common import ValueSource
from stint.api.provider import ProviderSpec
from stint.api.session import SessionSpec
from stint.sessions.resolve import Resolved


class Reference(NamedTuple):
    """A key of a Secret or ConfigMap in the session's namespace; without a key the object alone."""

    kind: Literal["Secret", "ConfigMap"]
    name: str
    key: str | None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" (key {self.key})" if self.key else "")


def references(spec: SessionSpec, resolved: Resolved, provider: ProviderSpec) -> tuple[Reference, ...]:
    """Everything that must exist before the pod is created, each once, in the order a reader would check it."""
    return tuple(dict.fromkeys(_all(spec, resolved, provider)))


def _all(spec: SessionSpec, resolved: Resolved, provider: ProviderSpec) -> Iterator[Reference]:
    secret = provider.credential.secret_ref
    yield Reference("Secret", secret.name, secret.key)
    yield from _source(spec.prompt_from)
    for file in resolved.workspace.files or ():
        if file.config_map_key_ref:
            yield Reference("ConfigMap", file.config_map_key_ref.name, file.config_map_key_ref.key)
        if file.secret_key_ref:
            yield Reference("Secret", file.secret_key_ref.name, file.secret_key_ref.key)
    for variable in resolved.agent.env or ():
        yield from _source(variable.value_from)
    for server in resolved.agent.mcp_servers or ():
        for item in (*(server.env or ()), *(server.headers or ())):
            yield from _source(item.value_from)
    for group in resolved.pod_template.env_from or ():
        if group.config_map_ref:
            yield Reference("ConfigMap", group.config_map_ref.name, None)
        if group.secret_ref:
            yield Reference("Secret", group.secret_ref.name, None)
    git = resolved.workspace.git
    if git and git.secret_ref:
        yield Reference("Secret", git.secret_ref.name, None)


def _source(source: ValueSource | None) -> Iterator[Reference]:
    if source and source.config_map_key_ref:
        yield Reference("ConfigMap", source.config_map_key_ref.name, source.config_map_key_ref.key)
    if source and source.secret_key_ref:
        yield Reference("Secret", source.secret_key_ref.name, source.secret_key_ref.key)
