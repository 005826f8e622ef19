"""What the server saw: the newest requests in a ring, and exact totals per session for as long as it runs."""

import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from mockapi.changes import Changes
from mockapi.credential import Credential
from mockapi.prices import PriceTable, usd
from mockapi.usage import Usage

MESSAGES_PATH = "/v1/messages"
NO_SESSION = "(none)"
_OTHER_MODELS = "(other)"
_PROMPT_BYTES = 2048
_BODY_BYTES = 1 << 20
_BODIES = 100
_SESSIONS = 100_000
_MODELS = 32  # per session


def timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass(slots=True)
class Call:
    """One request, from its arrival until its end."""

    method: str
    path: str
    session: str
    agent: str
    credential: Credential
    remote: str
    user_agent: str = ""
    beta: str = ""
    number: int = 0
    arrived: datetime = field(default_factory=lambda: datetime.now(UTC))
    model: str = ""
    stream: bool = False
    messages: int = 0
    digest: str = ""
    prompt: str = ""
    script: str = ""
    step: int | None = None
    status: int | None = None
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    aborted: bool = False
    done: bool = False
    seconds: float = 0.0
    body: bytes | None = None
    request_id: str = ""
    totals: "tuple[Totals, ...]" = ()
    _begun: float = field(default_factory=time.monotonic)

    @property
    def asks_model(self) -> bool:
        return self.method == "POST" and self.path == MESSAGES_PATH

    def finish(self) -> None:
        self.done = True
        self.seconds = time.monotonic() - self._begun

    def facts(self) -> dict[str, Any]:
        """Everything but what somebody wrote: this goes to the log."""
        return {
            "time": timestamp(self.arrived),
            "session": self.session,
            "agent": self.agent,
            "method": self.method,
            "path": self.path,
            "model": self.model,
            "stream": self.stream,
            "credential": self.credential.name,
            "auth": self.credential.kind,
            "status": self.status,
            "error": self.error,
            "usage": self.usage.whole(),
            "aborted": self.aborted,
            "done": self.done,
            "seconds": round(self.seconds, 4),
            "script": self.script,
            "step": self.step,
            "requestId": self.request_id,
            "remote": self.remote,
        }

    def as_json(self) -> dict[str, Any]:
        seen = {"messages": self.messages, "digest": self.digest, "prompt": self.prompt, "userAgent": self.user_agent, "beta": self.beta}
        return {"number": self.number, **self.facts(), **seen, **({"body": orjson.Fragment(self.body)} if self.body is not None else {})}


@dataclass(slots=True)
class ModelTotals:
    requests: int = 0
    usage: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class Totals:
    """Sums over requests to the model; other requests are only counted."""

    requests: int = 0
    open: int = 0
    answered: int = 0
    failed: int = 0
    aborted: int = 0
    subagents: int = 0
    other: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    models: dict[str, ModelTotals] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None

    def begin(self, call: Call) -> None:
        self.first = self.first or call.arrived
        self.last = call.arrived
        self.open += 1

    def end(self, call: Call) -> None:
        self.open -= 1
        if not call.asks_model:
            self.other += 1
            return
        self.requests += 1
        self.subagents += bool(call.agent)
        self.aborted += call.aborted
        self.failed += not call.aborted and call.error is not None
        self.answered += not call.aborted and call.error is None
        if call.status is not None:
            self.statuses[call.status] = self.statuses.get(call.status, 0) + 1
        model = call.model if call.model in self.models or len(self.models) < _MODELS else _OTHER_MODELS
        sums = self.models.setdefault(model, ModelTotals())
        sums.requests += 1
        sums.usage += call.usage

    def cost(self, prices: PriceTable) -> Decimal:
        return sum((prices.of(model).cost(sums.usage) for model, sums in self.models.items()), Decimal(0))

    def as_json(self, prices: PriceTable) -> dict[str, Any]:
        usage = sum((sums.usage for sums in self.models.values()), Usage())
        return {
            "requests": self.requests,
            "open": self.open,
            "answered": self.answered,
            "failed": self.failed,
            "aborted": self.aborted,
            "subagentRequests": self.subagents,
            "otherRequests": self.other,
            "statuses": {str(status): number for status, number in sorted(self.statuses.items())},
            "firstRequest": timestamp(self.first) if self.first else None,
            "lastRequest": timestamp(self.last) if self.last else None,
            "usage": {
                **_tokens(usage),
                "cost": usd(self.cost(prices)),
                "byModel": {
                    model: {"requests": sums.requests, **_tokens(sums.usage), "cost": usd(prices.of(model).cost(sums.usage))}
                    for model, sums in self.models.items()
                },
            },
        }


class Recorder:
    def __init__(self, keep: int, *, bodies: bool) -> None:
        self.sessions: OrderedDict[str, Totals] = OrderedDict()  # the one that was active last stands last
        self.total = Totals()
        self.changes = Changes()
        self._ring: deque[Call] = deque(maxlen=keep)
        self._with_body: deque[Call] | None = deque() if bodies else None
        self._number = 0

    def begin(self, call: Call) -> None:
        self._number += 1
        call.number = self._number
        self._ring.append(call)
        call.totals = (self.session(call.session), self.total)
        for totals in call.totals:
            totals.begin(call)
        self.changes.notify()

    def received(self, call: Call, body: dict[str, Any], raw: bytes, prompt: str) -> None:
        """The body of a request has arrived."""
        messages = body.get("messages")
        call.model, call.stream = str(body.get("model", ""))[:128], body.get("stream") is True
        call.messages = len(messages) if isinstance(messages, list) else 0
        call.digest = hashlib.sha256(orjson.dumps(messages)).hexdigest()[:16]
        call.prompt = prompt.encode()[:_PROMPT_BYTES].decode(errors="ignore")
        if self._with_body is not None and len(raw) <= _BODY_BYTES:
            call.body = raw
            self._with_body.append(call)
            if len(self._with_body) > _BODIES:
                self._with_body.popleft().body = None

    def end(self, call: Call) -> None:
        call.finish()
        for totals in call.totals:
            totals.end(call)
        self.changes.notify()

    def session(self, name: str) -> Totals:
        totals = self.sessions.setdefault(name, Totals())
        self.sessions.move_to_end(name)
        if len(self.sessions) > _SESSIONS:
            self.sessions.popitem(last=False)
        return totals

    def calls(self, **wanted: str) -> Iterator[Call]:
        """The newest requests, oldest first, that have these values (compared as text)."""
        for call in self._ring:
            if all(_text(getattr(call, name)) == value for name, value in wanted.items()):
                yield call

    def clear(self) -> None:
        """Forgets all, what is still open included."""
        self._ring.clear()
        self.sessions.clear()
        self.total = Totals()
        if self._with_body is not None:
            self._with_body.clear()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.name if isinstance(value, Credential) else str(value)


def _tokens(usage: Usage) -> dict[str, int]:
    return {
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "cacheReadTokens": usage.cache_read,
        "cacheWriteTokens": usage.cache_write,
        "cacheWrite5mTokens": usage.cache_write_5m,
        "cacheWrite1hTokens": usage.cache_write_1h,
    }
