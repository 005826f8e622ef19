"""What to do about the certificate: from what is there and the time to what is to be written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from stint.certificates.pair import Serving, due, problem, signer_of


@dataclass(frozen=True, slots=True)
class Renewal:
    """A new certificate is needed."""

    why: str
    former: bytes = b""
    """The authority that stays trusted, because replicas serve with its certificate until they have the new one."""


def renewal(serving: Serving | None, names: Sequence[str], now: datetime) -> Renewal | None:
    """None: what is there is good. Nothing is taken over from a certificate that is not of our making: its authority would stay trusted."""
    if serving is None:
        return Renewal("there is none")
    wrong = problem(serving, names, now)
    if wrong:
        return Renewal(wrong)
    former = signer_of(serving)
    if not former:
        return Renewal("it is signed by somebody else")
    return Renewal("it expires soon", former) if due(serving, now) else None


def outdated(bundles: Iterable[bytes], authorities: bytes) -> bool:
    """Whether some webhook of a configuration is to be told whom to trust."""
    return any(bundle != authorities for bundle in bundles)
