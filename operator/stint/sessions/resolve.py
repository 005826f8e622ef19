"""What a session amounts to: its own fields over its profile's over the defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar, cast

from stint.api import defaults
from stint.api.agent import Agent
from stint.api.base import Model
from stint.api.limits import Limits, Retry
from stint.api.pod import PodTemplate
from stint.api.profile import ProfileSpec
from stint.api.scalars import seconds, usd
from stint.api.session import SessionSpec
from stint.api.workspace import Workspace

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A session's effective settings; every figure has its unit: seconds, USD, tokens."""

    provider: str
    agent: Agent
    workspace: Workspace
    pod_template: PodTemplate
    cost_limit: Decimal
    names_cost: bool
    """Whether the cost limit is one that session or profile names, and not the operator's default."""
    token_limit: int | None
    timeout: float
    start_timeout: float
    retry_limit: int
    backoff_initial: float
    backoff_factor: int
    backoff_max: float

    @property
    def ephemeral(self) -> bool:
        return bool(self.workspace.ephemeral)


def resolve(spec: SessionSpec, profile: ProfileSpec | None, default_cost_limit: str) -> Resolved:
    """Merge a session with its profile (None: it names none) and fill in the defaults."""
    base = profile or ProfileSpec()
    limits: Limits = overlay(base.limits, spec.limits)
    retry: Retry = overlay(base.retry, spec.retry)
    provider = spec.provider_ref or base.provider_ref
    backoff = retry.backoff
    return Resolved(
        provider=provider.name if provider else defaults.PROVIDER,
        agent=overlay(base.agent, spec.agent),
        workspace=_workspace(base.workspace, spec.workspace),
        pod_template=overlay(base.pod_template, spec.pod_template),
        cost_limit=usd(limits.cost or default_cost_limit),
        names_cost=limits.cost is not None,
        token_limit=limits.tokens,
        timeout=seconds(limits.timeout or defaults.TIMEOUT),
        start_timeout=seconds(limits.start_timeout or defaults.START_TIMEOUT),
        retry_limit=defaults.RETRY_LIMIT if retry.limit is None else retry.limit,
        backoff_initial=seconds(backoff.initial or defaults.BACKOFF_INITIAL),
        backoff_factor=backoff.factor or defaults.BACKOFF_FACTOR,
        backoff_max=seconds(backoff.max or defaults.BACKOFF_MAX),
    )


def _workspace(base: Workspace, top: Workspace) -> Workspace:
    """Field by field; but a repository is one thing (the Secret of a profile is not for the URL of a session), and who asks for a volume gets one."""
    merged = overlay(base, top)
    ephemeral = top.ephemeral if top.ephemeral is not None else (base.ephemeral if top.volume is None else False)
    return merged.model_copy(update={"git": top.git or base.git, "ephemeral": ephemeral})


def overlay(base: M, top: M) -> M:
    """``top`` over ``base``: a field that is set wins, objects are merged field by field, named lists by name."""
    if not base.model_fields_set:  # most sessions have no profile
        return top
    changes = {}
    for field in type(base).model_fields:
        below, above = getattr(base, field), getattr(top, field)
        if above is not None and above != below:
            changes[field] = _merged(below, above)
    return base.model_copy(update=changes) if changes else base


def _merged(below: Any, above: Any) -> Any:
    if isinstance(below, Model) and isinstance(above, Model):
        return overlay(below, above)
    if isinstance(below, dict) and isinstance(above, dict):
        return below | above
    if _named(below) and _named(above):
        return list(({item.name: item for item in below} | {item.name: item for item in above}).values())
    return above


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(hasattr(item, "name") for item in cast(Sequence[Any], value))
