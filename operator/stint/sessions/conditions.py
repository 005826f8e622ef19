"""The conditions of a session, all set in one place from facts.

| type | True when | source of the reason |
|---|---|---|
| Admitted | nothing keeps it from starting | hold, or Admitted |
| Running | its pod runs | the pod |
| Suspended | spec.suspend, or its budget is reached: state is kept, the pod is gone | spec, ending |
| Succeeded | it finished well (False: it failed; Unknown: not finished) | ending |
| ToolsReady | all MCP servers connected (only with mcpServers, from the last attempt) | result |
| Ready, Reconciling, Stalled | kstatus: finished well / on its way / a person has to act | the above |

Suspended, Reconciling and Stalled are left out when they are not True, as kstatus recommends: every condition makes every status write dearer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stint.engine.conditions import FALSE, TRUE, UNKNOWN, Condition, merge
from stint.engine.plan import Stalled
from stint.sessions import reasons
from stint.sessions.observed import Hold


@dataclass(frozen=True, slots=True)
class Facts:
    """What is the case. ``finished`` is None until the session has ended, then whether it ended well."""

    reason: str
    """Why it is as it is: of the ending, of the hold, or of the pod."""
    message: str = ""
    hold: Hold | None = None
    running: bool = False
    suspended: bool = False
    finished: bool | None = None
    tools: tuple[dict[str, Any], ...] = ()


def phase(facts: Facts) -> str:
    """One word for the printer column."""
    if facts.finished is not None:
        return "Succeeded" if facts.finished else "Failed"
    if facts.suspended:
        return "Suspended"
    if facts.running:
        return "Running"
    if facts.hold is not None:
        return "Stalled" if isinstance(facts.hold, Stalled) else "Waiting"
    return "Pending"


def conditions(facts: Facts, old: dict[str, Any], generation: int, now: datetime) -> list[dict[str, Any]]:
    """The whole list for the status."""
    before = old.get("conditions") or ()
    fresh = list(_conditions(facts))
    kept = [
        Condition("ToolsReady", was["status"], was["reason"], was.get("message", ""))
        for was in before
        if was["type"] == "ToolsReady" and not facts.tools
    ]
    return merge(before, [*fresh, *kept], generation, now)


def _conditions(facts: Facts) -> Iterator[Condition]:
    reason, message = facts.reason, facts.message
    stalled = facts.finished is False or isinstance(facts.hold, Stalled)
    done = facts.finished is not None
    if facts.hold is not None:
        yield Condition("Admitted", FALSE, reason, message)
    else:
        yield Condition("Admitted", TRUE, reasons.ADMITTED)
    yield Condition("Running", TRUE if facts.running else FALSE, reasons.POD_RUNNING if facts.running else reason, "" if facts.running else message)
    if facts.suspended:
        yield Condition("Suspended", TRUE, reason, message)
    if facts.finished is None:
        yield Condition("Succeeded", UNKNOWN, reasons.IN_PROGRESS)
    else:
        yield Condition("Succeeded", TRUE if facts.finished else FALSE, reason, message)
    yield Condition("Ready", TRUE if facts.finished else FALSE, reason, message)
    if not (done or stalled or facts.suspended):
        yield Condition("Reconciling", TRUE, reason)
    if stalled:
        yield Condition("Stalled", TRUE, reason, message)
    if facts.tools:
        yield _tools(facts.tools)


def _tools(servers: tuple[dict[str, Any], ...]) -> Condition:
    broken = [server for server in servers if server.get("status") != "connected"]
    if not broken:
        return Condition("ToolsReady", TRUE, reasons.TOOLS_CONNECTED)
    told = "; ".join(f"{server.get('name')}: {server.get('error') or server.get('status')}" for server in broken)
    required = any(server.get("required") for server in broken)
    return Condition("ToolsReady", FALSE, reasons.TOOLS_UNAVAILABLE if required else reasons.TOOLS_DEGRADED, told)
