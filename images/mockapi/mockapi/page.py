"""One page for people: what the mock API saw, and what it is set to do. No script, no file beside it; it reloads itself."""

from collections.abc import Iterable
from html import escape
from itertools import islice

from mockapi.prices import usd
from mockapi.record import Call, Totals
from mockapi.state import Mock

_ROWS = 50
_REFRESH_SECONDS = 2
_STYLE = """
:root { color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif; }
body { max-width: 1300px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; margin-bottom: 0; } h2 { font-size: 1.1em; margin: 2em 0 .5em; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .2em .8em .2em 0; text-align: left; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid #8886; } td { border-bottom: 1px solid #8882; }
.n { text-align: right; font-variant-numeric: tabular-nums; } .id, code { font-family: ui-monospace, monospace; font-size: .92em; }
.bad { color: #d33; } .open { color: #28c; } .quiet { color: #888; }
.prompt { max-width: 34em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
"""


def render(mock: Mock) -> str:
    total = mock.recorder.total
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Stint mock API</title>
<meta http-equiv="refresh" content="{_REFRESH_SECONDS}"><style>{_STYLE}</style></head><body>
<h1>Stint mock API</h1>
<p class="quiet">A scriptable Messages API. Put <code>MOCK:[{{"text": "hello"}}]</code> into a prompt to decide the answer.</p>
{_section("Sessions", _SESSION_HEAD, [_total_row(mock, "all", total), *_session_rows(mock)], "")}
{_section("Newest requests", _CALL_HEAD, map(_call_row, _newest(mock)), "no request yet")}
{_section("Gates", ("gate", "state", "waiting"), _gate_rows(mock), "none")}
{_section("Faults", ("fault", "left", "hits"), _fault_rows(mock), "none")}
<p class="quiet">{_keys(mock)}</p>
</body></html>
"""


_SESSION_HEAD = (
    "session",
    "#requests",
    "#open",
    "#failed",
    "#aborted",
    "#input",
    "#output",
    "#cache read",
    "#cache write",
    "#cost, USD",
    "models",
)
_CALL_HEAD = ("time", "session", "request", "model", "status", "#input", "#output", "#seconds", "step", "prompt")


def _section(title: str, head: Iterable[str], rows: Iterable[str], empty: str) -> str:
    body = "".join(rows)
    if not body:
        return f'<h2>{title}</h2><p class="quiet">{empty}</p>'
    cells = "".join(f'<th class="n">{name[1:]}</th>' if name.startswith("#") else f"<th>{name}</th>" for name in head)
    return f"<h2>{title}</h2><table><tr>{cells}</tr>{body}</table>"


def _session_rows(mock: Mock) -> list[str]:
    return [_total_row(mock, name, totals) for name, totals in islice(reversed(mock.recorder.sessions.items()), _ROWS)]


def _total_row(mock: Mock, name: str, totals: Totals) -> str:
    used = [sums.usage for sums in totals.models.values()]
    numbers = (
        totals.requests,
        totals.open,
        totals.failed,
        totals.aborted,
        sum(usage.input for usage in used),
        sum(usage.output for usage in used),
        sum(usage.cache_read for usage in used),
        sum(usage.cache_write for usage in used),
        usd(totals.cost(mock.prices)),
    )
    models = ", ".join(sorted(totals.models))
    return _row([f'<td class="id">{escape(name)}</td>', *map(_number, numbers), f"<td>{escape(models)}</td>"])


def _newest(mock: Mock) -> list[Call]:
    return list(mock.recorder.calls())[: -_ROWS - 1 : -1]


def _call_row(call: Call) -> str:
    kind = "open" if not call.done else "bad" if call.error or call.aborted else ""
    words = [
        "open" if not call.done and call.status is None else str(call.status or ""),
        call.error or "",
        "aborted" if call.aborted else "",
    ]
    return _row(
        [
            f"<td>{call.arrived:%H:%M:%S}</td>",
            f'<td class="id">{escape(call.session[:13])}{" ↳" if call.agent else ""}</td>',
            f"<td>{escape(call.method)} {escape(call.path[:60])}</td>",
            f"<td>{escape(call.model)}</td>",
            f'<td class="{kind}">{escape(" ".join(filter(None, words)))}</td>',
            _number(call.usage.input),
            _number(call.usage.output),
            _number(f"{call.seconds:.2f}" if call.done else "…"),
            f"<td>{'' if call.step is None else call.step}</td>",
            f'<td class="prompt" title="{escape(call.prompt[:500])}">{escape(call.prompt[:120])}</td>',
        ]
    )


def _gate_rows(mock: Mock) -> list[str]:
    return [
        _row([f"<td>{escape(name)}</td>", f"<td>{'open' if gate['open'] else 'closed'}</td>", f"<td>{gate['waiting']}</td>"])
        for name, gate in mock.gates.as_json().items()
    ]


def _fault_rows(mock: Mock) -> list[str]:
    return [
        _row(
            [
                f"<td><code>{escape(', '.join(f'{key}: {value}' for key, value in fault.raw.items() if key != 'times'))}</code></td>",
                f"<td>{'for ever' if fault.times < 0 else fault.times}</td>",
                f"<td>{fault.hits}</td>",
            ]
        )
        for fault in mock.faults.items
    ]


def _keys(mock: Mock) -> str:
    keys = mock.keys.as_json()
    return "Any credential is accepted." if keys is None else f"Accepted credentials, by fingerprint: {', '.join(keys) or 'none'}."


def _number(value: object) -> str:
    return f'<td class="n">{value:,}</td>' if isinstance(value, int) else f'<td class="n">{value}</td>'


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(cells)}</tr>"
