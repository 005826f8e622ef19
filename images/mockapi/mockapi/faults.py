"""Faults that a test or a user sets from outside: for any request, or for those of one model, session or credential."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from mockapi import fields
from mockapi.errors import BadScript, Reply
from mockapi.steps import Place, Step, parse_reply, parse_sse_error

FOR_EVER = -1
_REPLY_KEYS = {"status", "type", "message", "headers", "body"}
_SELECTORS = ("model", "session", "credential", "path")
_KEYS = {*_REPLY_KEYS, *_SELECTORS, "times", "hang", "drop", "sse_error"}
_COUNTED_STEPS = 100_000


@dataclass(slots=True)
class Fault:
    """What goes wrong, for whom, and how often still."""

    raw: dict[str, Any]
    reply: Reply | None
    hang: float
    drop: Place | None
    sse_error: dict[str, Any] | None
    selectors: dict[str, str]
    times: int
    hits: int = 0

    def matches(self, request: dict[str, str]) -> bool:
        return self.times != 0 and all(fnmatchcase(request[name], pattern) for name, pattern in self.selectors.items())

    def apply(self, step: Step) -> Step:
        """The step that is played instead: with this trouble and none of its own."""
        place = self.drop or (Place.HEADERS if self.reply else Place.START)
        return replace(step.without_trouble(), at=place, gate=None, fault=self.reply, hang=self.hang, drop=bool(self.drop), sse_error=self.sse_error)


def parse_faults(raw: object) -> list[Fault]:
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise BadScript('faults are a list such as [{"status": 529, "times": 2}]')
    return [parse_fault(item) for item in raw]


def parse_fault(raw: dict[str, Any]) -> Fault:
    fields.known(raw, _KEYS)
    times = fields.count(raw, "times", least=FOR_EVER)
    drop = raw.get("drop", False)
    if drop not in (False, True, "start", "middle"):
        raise BadScript('`drop` must be true (before any answer), "start" or "middle" (of the stream)')
    fault = Fault(
        raw=raw,
        reply=parse_reply({key: value for key, value in raw.items() if key in _REPLY_KEYS}) if "status" in raw else None,
        hang=fields.seconds(raw, "hang"),
        drop=(Place.HEADERS if drop is True else Place(drop)) if drop else None,
        sse_error=parse_sse_error(raw["sse_error"]) if "sse_error" in raw else None,
        selectors={"path": "/v1/messages"} | {name: fields.read(raw, name, str) or "*" for name in _SELECTORS if name in raw},
        times=1 if times is None else times,
    )
    if fault.reply and fault.drop:
        raise BadScript("a fault has a `status` or a `drop`, not both")
    if not (fault.reply or fault.hang or fault.drop or fault.sse_error):
        raise BadScript("a fault needs a `status`, `hang`, `drop` or `sse_error`")
    return fault


@dataclass(slots=True)
class Faults:
    """The list in force. The first that matches a request is used; one that is used up stays in the list with `times` 0."""

    items: list[Fault] = field(default_factory=list)

    def take(self, *, model: str, session: str, credential: str, path: str) -> Fault | None:
        request = {"model": model, "session": session, "credential": credential, "path": path}
        for fault in self.items:
            if fault.matches(request):
                fault.times -= fault.times > 0
                fault.hits += 1
                return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        return [{**fault.raw, "times": fault.times, "hits": fault.hits} for fault in self.items]


class Troubles:
    """How often each step of each session already went wrong, for `times`. The oldest are forgotten."""

    def __init__(self) -> None:
        self._count: OrderedDict[tuple[str, ...], int] = OrderedDict()

    def allows(self, step: Step, key: tuple[str, ...]) -> bool:
        """Whether this step may go wrong once more; counts it if so."""
        if step.times is None:
            return True
        done = self._count.get(key, 0)
        if done >= step.times:
            return False
        self._count[key] = done + 1
        self._count.move_to_end(key)
        if len(self._count) > _COUNTED_STEPS:
            self._count.popitem(last=False)
        return True

    def clear(self) -> None:
        self._count.clear()
