"""What the CLI's events mean: a pure fold over the stream, and a conclusion when it has ended.

    observe(Seen(), event) ─▶ Seen ─▶ … ─▶ conclude(seen, ending) ─▶ Outcome

The conclusion asks rules in order; the first that answers wins. Two traps of the stream: a failed API call ends in a result with
`subtype: success` and `is_error: true`; and a conversation may yield several results (a background task that ends starts a turn of
its own), of which the last counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .apierror import GATEWAY_UNREACHABLE, classify, explain
from .errors import AGENT_CRASHED, BUDGET_REACHED, INPUT_INVALID, MAX_TURNS, OUTPUT_INVALID, RATE_LIMITED, TIMEOUT, Error
from .result import FAILED, INTERRUPTED, SUCCEEDED

Event = Mapping[str, object]

_LIMITS = {
    "error_max_turns": MAX_TURNS,
    "error_max_budget_usd": BUDGET_REACHED,
    "error_max_structured_output_retries": OUTPUT_INVALID,
}


@dataclass(frozen=True)
class Seen:
    """What matters of the events so far. `first_request_ms` is the wall clock when the CLI sent its first request."""

    result: Event | None = None
    in_turn: bool = False
    turns: int = 0
    tasks: int = 0
    rejected_until: int | None = None
    api_error: str | None = None
    first_request_ms: float | None = None

    @property
    def finished(self) -> bool:
        """The answer is there, and nothing runs that could lead to another."""
        return self.result is not None and not self.in_turn and self.tasks == 0


@dataclass(frozen=True)
class Ending:
    """How the CLI's process ended. `exit_code` is negative for a signal, None when it had to be given up;
    `stopped` is why the runner interrupted it: INTERRUPTED, TIMEOUT or None."""

    exit_code: int | None
    stopped: str | None = None
    stderr: str = ""


@dataclass(frozen=True)
class Outcome:
    outcome: str
    text: str = ""
    structured: object = None
    error: Error | None = None


def observe(seen: Seen, event: Event) -> Seen:
    match event.get("type"), event.get("subtype"):
        case "system", "init":
            return replace(seen, in_turn=True)
        case "system", "background_tasks_changed":
            tasks = event.get("tasks")
            return replace(seen, tasks=len(tasks) if isinstance(tasks, list) else 0)
        case "rate_limit_event", _:
            return replace(seen, rejected_until=_rejected_until(event.get("rate_limit_info")) or seen.rejected_until)
        case "assistant", _ if event.get("is_api_error_message") and not event.get("parent_tool_use_id"):
            return replace(seen, api_error=_text(event.get("error")))
        case "result", _:
            turns, sent = _whole(event.get("num_turns")), event.get("request_sent_wall_ms")
            first = seen.first_request_ms
            if first is None and isinstance(sent, int | float):
                first = float(sent)
            return replace(seen, result=event, in_turn=False, turns=seen.turns + (turns or 0), first_request_ms=first)
    return seen


def conclude(seen: Seen, ending: Ending, *, wants_output: bool) -> Outcome:
    for rule in (_without_result, _success, _stopped, _limit, _api_failure, _aborted):
        outcome = rule(seen, ending, wants_output)
        if outcome is not None:
            return outcome
    raise AssertionError("the last rule always answers")


def _without_result(seen: Seen, ending: Ending, wants_output: bool) -> Outcome | None:
    unfinished = seen.in_turn and (ending.stopped is not None or ending.exit_code != 0)
    if seen.result is not None and not unfinished:
        return None
    # The one argument the CLI checks before it starts; asking again with the same schema would not help.
    kind = INPUT_INVALID if "--json-schema" in ending.stderr else AGENT_CRASHED
    return _stopped(seen, ending, wants_output) or _failed(kind, how_it_ended(ending))


def _success(seen: Seen, ending: Ending, wants_output: bool) -> Outcome | None:
    result = seen.result or {}
    if result.get("subtype") != "success" or result.get("is_error"):
        return None
    text = _text(result.get("result")) or ""
    if wants_output and "structured_output" not in result:
        return replace(_failed(OUTPUT_INVALID, "the agent ended without giving the structured output that was asked for"), text=text)
    return Outcome(SUCCEEDED, text=text, structured=result.get("structured_output"))


def _stopped(seen: Seen, ending: Ending, wants_output: bool) -> Outcome | None:
    if ending.stopped == TIMEOUT:
        return _failed(TIMEOUT, "the time limit of the attempt has passed")
    return Outcome(INTERRUPTED) if ending.stopped is not None else None


def _limit(seen: Seen, ending: Ending, wants_output: bool) -> Outcome | None:
    result = seen.result or {}
    kind = _LIMITS.get(_text(result.get("subtype")) or "")
    return _failed(kind, _errors(result)) if kind is not None else None


def _api_failure(seen: Seen, ending: Ending, wants_output: bool) -> Outcome | None:
    result = seen.result or {}
    if result.get("subtype") != "success":
        return None
    status = _whole(result.get("api_error_status"))
    message = _text(result.get("result")) or "the request to the model failed"
    error_type = _text(result.get("api_error_type"))
    kind = classify(
        status=status,
        error=seen.api_error,
        error_type=error_type,
        reason=_text(result.get("terminal_reason")),
        message=message,
    )
    resets_at = seen.rejected_until if kind == RATE_LIMITED else None
    answered = None if error_type == GATEWAY_UNREACHABLE else status  # the provider itself gave no status
    return Outcome(FAILED, error=Error(kind, explain(error_type, message), api_status=answered, resets_at=resets_at))


def _aborted(seen: Seen, ending: Ending, wants_output: bool) -> Outcome | None:
    result = seen.result or {}
    return _failed(AGENT_CRASHED, f"the CLI gave up ({result.get('terminal_reason') or result.get('subtype')}): {_errors(result)}")


def how_it_ended(ending: Ending) -> str:
    """A sentence about a CLI that ended without a result."""
    match ending.exit_code:
        case None:
            how = "did not end and was given up"
        case -9:
            how = "was killed (signal 9), most likely because the container ran out of memory"
        case int(code) if code < 0:
            how = f"was ended by signal {-code}"
        case code:
            how = f"ended with exit code {code}"
    return f"the CLI {how} before it gave a result" + (f": {ending.stderr}" if ending.stderr else "")


def _failed(kind: str, message: str) -> Outcome:
    return Outcome(FAILED, error=Error(kind, message))


def _errors(result: Event) -> str:
    errors = result.get("errors")
    return "; ".join(str(each) for each in errors) if isinstance(errors, list) else "no reason given"


def _rejected_until(info: object) -> int | None:
    if not isinstance(info, dict) or info.get("status") != "rejected":
        return None
    return _whole(info.get("resetsAt"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
