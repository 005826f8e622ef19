"""The audit log is the judge of how much is written, so it must be read right."""

import json
from pathlib import Path

import pytest

from perf import writes


def line(user: str, verb: str, resource: str, subresource: str | None = None, code: int = 200, at: str = "") -> str:
    place = {"resource": resource, "namespace": "bench", **({"subresource": subresource} if subresource else {})}
    status = {"responseStatus": {"code": code}, "requestReceivedTimestamp": at}
    return json.dumps({"user": {"username": user}, "verb": verb, "objectRef": place, **status})


def test_writes_are_counted_by_verb_and_resource_of_one_user_refusals_apart_and_renewals_of_the_lease_not() -> None:
    lines = [
        line("stint", "create", "pods"),
        line("stint", "create", "pods", code=409),
        line("stint", "patch", "agentsessions", "status"),
        line("stint", "patch", "agentsessions", "status"),
        line("other", "create", "pods"),
        line("stint", "update", "leases"),
        '{"user": {"userna',
    ]
    assert writes.count(lines, "stint") == {"create pods": 1, "create pods (409)": 1, "patch agentsessions/status": 2}


def test_only_what_comes_later_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "LATE", 0.0)
    file = tmp_path / "audit.log"
    file.write_text(line("stint", "create", "pods") + "\n")
    log = writes.AuditLog(file)
    later = [line("stint", "delete", "pods"), line("other", "create", "pods")]
    with file.open("a") as stream:
        stream.write("\n".join(later) + "\n")
    assert log.lines() == later
    assert log.lines() == later, "reading takes nothing away"


def test_what_stood_in_line_with_the_last_pod_is_told_by_time() -> None:
    lines = [
        line("stint", "patch", "agentsessions", at="3"),
        line("stint", "create", "pods", at="1"),
        line("stint", "create", "pods", at="4"),
        line("stint", "patch", "agentsessions", at="5"),
        line("stint", "patch", "agentsessions", at="2"),
    ]
    assert writes.before_last(lines, "stint", "create pods") == {"create pods": 1, "patch agentsessions": 2}
    assert writes.before_last([], "stint", "create pods") == {}
