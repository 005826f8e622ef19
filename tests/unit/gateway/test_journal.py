"""The journal and the report: nothing that was used is forgotten, and what is said of it fits."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stint.gateway import journal as journal_module
from stint.gateway.account import Account, from_line, to_line
from stint.gateway.document import ConfigError
from stint.gateway.errors import LastError
from stint.gateway.journal import KEPT_PODS, Journal
from stint.gateway.output import Verdict, bounded
from stint.gateway.report import MAX_BYTES, Heard, render, write_in_place
from stint.gateway.usage import OTHER, Tally, Usage
from stint.gateway.windows import MOST, Window

TALLY = Tally(requests=3, input=5576, output=210, cost=Decimal("0.0331301"))
ACCOUNT = Account(
    pod="pod-1",
    attempt=2,
    usage=Usage(TALLY, estimated=True, by_model={"claude-x": TALLY}),
    limit_reached="cost",
    first_request="2026-11-21T10:00:01Z",
    first_good_answer="2026-11-21T10:00:02Z",
    output=Verdict("ab" * 32, False, "$: no"),
)


FIVE_HOURS = Window("FiveHour", "Warning", 92, "2026-11-21T15:00:00Z", "2026-11-21T12:00:00Z")


def of(pod: str, cost: str = "1") -> Account:
    tally = replace(TALLY, cost=Decimal(cost))
    return Account(pod=pod, attempt=1, usage=Usage(tally, by_model={"claude-x": tally}))


def write(folder: Path, *accounts: Account, tail: bytes = b"") -> Path:
    path = folder / "journal.jsonl"
    path.write_bytes(b"".join(map(to_line, accounts)) + tail)
    return path


def test_a_line_holds_the_whole_account_to_the_last_digit() -> None:
    assert from_line(to_line(ACCOUNT)) == ACCOUNT
    assert from_line(to_line(Account("p", 1))) == Account("p", 1)


def test_what_was_appended_is_there_after_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "pod-1")
    assert (journal.own, journal.previous) == (None, [])
    journal.append(of("pod-1", "1"))
    journal.append(of("pod-1", "2"))
    journal.close()
    assert stat.S_IMODE(os.stat(tmp_path / "journal.jsonl").st_mode) == 0o600
    assert Journal(tmp_path, "pod-1").own == of("pod-1", "2")
    later = Journal(tmp_path, "pod-2")
    assert (later.own, later.previous) == (None, [of("pod-1", "2")])


def test_at_the_start_one_line_per_pod_is_left(tmp_path: Path) -> None:
    path = write(tmp_path, of("a", "1"), of("b", "1"), of("a", "2"), of("pod-1", "3"), of("pod-1", "4"))
    journal = Journal(tmp_path, "pod-1")
    assert journal.previous == [of("a", "2"), of("b", "1")], "the newest first"
    assert path.read_bytes() == b"".join(map(to_line, (of("b", "1"), of("a", "2"), of("pod-1", "4"))))


def test_only_the_newest_pods_are_kept(tmp_path: Path) -> None:
    write(tmp_path, *(of(f"p{number}") for number in range(KEPT_PODS + 5)))
    journal = Journal(tmp_path, "pod-1")
    assert [account.pod for account in journal.previous] == [f"p{number}" for number in range(KEPT_PODS + 4, 4, -1)]


def test_an_unsettled_pod_is_kept_however_old(tmp_path: Path) -> None:
    write(tmp_path, *(of(f"p{number}") for number in range(KEPT_PODS + 5)))
    for _ in range(2):
        journal = Journal(tmp_path, "pod-1", frozenset({"p0", "p14", "never-written"}))
        assert [account.pod for account in journal.unsettled] == ["p14", "p0"]
        assert "p0" not in [account.pod for account in journal.previous]


@pytest.mark.parametrize("torn", [b'{"version":1,"po', b"\x00\x00\x00", b'{"version":1}', b"[]", b"5", b'{"version":1,"pod":"a","usage":[]}'])
def test_a_torn_line_costs_only_itself(tmp_path: Path, torn: bytes) -> None:
    write(tmp_path, of("a", "1"), of("pod-1", "2"), tail=torn)
    journal = Journal(tmp_path, "pod-1")
    journal.append(of("pod-1", "3"))
    again = Journal(tmp_path, "pod-1")
    assert (again.own, again.previous) == (of("pod-1", "3"), [of("a", "1")])


def test_every_cut_of_the_last_line_leaves_the_line_before_it(tmp_path: Path) -> None:
    last = to_line(of("pod-1", "2"))
    for cut in range(len(last) - 1):
        write(tmp_path, of("pod-1", "1"), tail=last[:cut])
        journal = Journal(tmp_path, "pod-1")
        journal.close()
        assert journal.own == of("pod-1", "1"), f"cut at {cut}"


def test_another_version_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, tail=to_line(of("a")).replace(b'"version":1', b'"version":2'))
    with pytest.raises(ConfigError, match="the usage journal has version 2; this gateway reads version 1"):
        Journal(tmp_path, "pod-1")


def test_a_write_that_failed_half_way_does_not_spoil_the_next_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, "pod-1")
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, content: real(file, content[:10]))
    with pytest.raises(OSError, match="No space left"):
        journal.append(of("pod-1", "1"))
    monkeypatch.undo()
    journal.append(of("pod-1", "2"))
    assert Journal(tmp_path, "pod-1").own == of("pod-1", "2")


def test_a_full_disk_at_the_start_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, of("a", "1"), tail=b'{"to')

    def full(_file: int, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    journal = Journal(tmp_path, "pod-1")
    with pytest.raises(OSError, match="No space left"):
        journal.append(of("pod-1", "2"))
    monkeypatch.undo()
    journal.append(of("pod-1", "3"))
    again = Journal(tmp_path, "pod-1")
    assert (again.own, again.previous) == (of("pod-1", "3"), [of("a", "1")])


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Journal(tmp_path / "nowhere", "pod-1")


def test_a_long_journal_is_compacted_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, of("a", "1"))
    monkeypatch.setattr(journal_module, "COMPACT_AT", 5 * len(to_line(of("a"))))
    journal = Journal(tmp_path, "pod-1")
    for number in range(20):
        journal.append(of("pod-1", str(number)))
    assert len((tmp_path / "journal.jsonl").read_bytes().splitlines()) < 8
    again = Journal(tmp_path, "pod-1")
    assert (again.own, again.previous) == (of("pod-1", "19"), [of("a", "1")])


def test_a_report_reads_as_the_contract_says() -> None:
    counts = {"requests": 3, "inputTokens": 5576, "outputTokens": 210, "cacheReadTokens": 0, "cacheWriteTokens": 0, "cost": "0.033131"}
    assert json.loads(render(ACCOUNT, Heard(LastError(529, "overloaded_error", "Overloaded"), "Overloaded", [FIVE_HOURS]), [of("a", "1")])) == {
        "version": 1,
        "attempt": 2,
        "pod": "pod-1",
        "usage": {**counts, "estimated": True, "byModel": {"claude-x": counts}},
        "limitReached": "cost",
        "firstRequest": "2026-11-21T10:00:01Z",
        "firstGoodAnswer": "2026-11-21T10:00:02Z",
        "lastError": {"status": 529, "type": "overloaded_error", "message": "Overloaded"},
        "lastAnswer": "Overloaded",
        "windows": {"FiveHour": {"status": "Warning", "utilization": 92, "resetsAt": "2026-11-21T15:00:00Z", "seen": "2026-11-21T12:00:00Z"}},
        "output": {"sha256": "ab" * 32, "valid": False, "error": "$: no"},
        "previous": [{"pod": "a", "attempt": 1, "usage": {**counts, "cost": "1.000000", "estimated": False}}],
    }
    empty = json.loads(render(Account("p", 1), Heard(), []))
    assert empty["usage"]["cost"] == "0.000000"
    assert (empty["limitReached"], empty["firstRequest"], empty["lastError"], empty["output"]) == (None, None, None, None)


def models(number: int) -> Usage:
    by_model = {f"claude-model-{place:03}": Tally(requests=1, input=place, cost=Decimal(place)) for place in range(number)}
    total = Tally()
    for tally in by_model.values():
        total = total.plus(tally)
    return Usage(total, by_model=by_model)


def test_two_hundred_models_fit_and_the_cheap_ones_are_added_up() -> None:
    account = Account("pod-1", 1, usage=models(200))
    text = render(account, Heard(), [of("a"), of("b")])
    assert len(text) <= MAX_BYTES
    report = json.loads(text)
    shown = report["usage"]["byModel"]
    assert 10 < len(shown) < 30
    assert next(iter(shown)) == "claude-model-199", "the dearest is kept longest"
    assert [one["pod"] for one in report["previous"]] == ["a", "b"], "models are given up before pods"
    assert sum(Decimal(one["cost"]) for one in shown.values()) == Decimal(report["usage"]["cost"]) == sum(range(200))
    assert sum(one["requests"] for one in shown.values()) == 200
    assert shown[OTHER]["requests"] == 200 - (len(shown) - 1)


def test_models_that_were_added_up_before_stay_so() -> None:
    usage = models(200)
    dearest = {OTHER: Tally(requests=5, cost=Decimal(10**6))}
    shown = json.loads(render(Account("p", 1, usage=replace(usage, by_model={**usage.by_model, **dearest})), Heard(), []))["usage"]["byModel"]
    assert shown[OTHER]["requests"] == 200 - (len(shown) - 1) + 5


def test_pods_are_given_up_only_when_no_model_is_left() -> None:
    long = [replace(of("x" * 60 + str(number)), attempt=10**9) for number in range(10)]
    account = Account("pod-1", 1, usage=models(50), output=Verdict("a" * 64, False, "🎈" * 256))
    report = json.loads(render(account, Heard(LastError(None, "x" * 200, "🎈" * 300)), long))
    assert list(report["usage"]["byModel"]) == [OTHER]
    assert 0 < len(report["previous"]) < 10
    assert [one["pod"] for one in report["previous"]] == [one.pod for one in long[: len(report["previous"])]], "the oldest go first"


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.text(max_size=128), max_size=64, unique=True),
    message=st.text(max_size=400),
    kind=st.text(max_size=100),
    pods=st.integers(0, 10),
    figure=st.integers(0, 10**15),
)
def test_whatever_happened_the_report_fits_and_the_totals_stand(names: list[str], message: str, kind: str, pods: int, figure: int) -> None:
    tally = Tally(figure, figure, figure, figure, figure, Decimal(figure))
    account = Account("p" * 36, 1, usage=Usage(tally, by_model=dict.fromkeys(names, tally)), output=Verdict("a" * 64, False, bounded(message)))
    windows = [replace(FIVE_HOURS, name=f"{number}{'x' * 40}") for number in range(MOST)]
    text = render(account, Heard(LastError(None, kind, message), "ProviderUnreachable", windows), [replace(account, pod="q" * 36)] * pods)
    assert len(text) <= MAX_BYTES
    assert json.loads(text)["usage"]["inputTokens"] == figure


def test_the_termination_message_is_rewritten_in_place(tmp_path: Path) -> None:
    path = tmp_path / "termination-log"
    path.write_text("something longer than what comes after it")
    before = path.stat().st_ino
    write_in_place(path, b'{"a": 1}')
    assert path.read_bytes() == b'{"a": 1}'
    assert path.stat().st_ino == before
    write_in_place(path, b'{"a": 1, "b": 2}')
    assert path.read_bytes() == b'{"a": 1, "b": 2}'


def test_killed_before_the_cut_the_message_is_still_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "termination-log"
    path.write_text('{"something": "longer than what comes after it"}')
    monkeypatch.setattr(os, "ftruncate", lambda *_: None)
    write_in_place(path, b'{"a": 1}')
    assert json.loads(path.read_bytes()) == {"a": 1}
