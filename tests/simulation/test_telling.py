"""What is counted and logged while sessions live: each thing once, however often the controller is killed; and nothing that is not its business."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from simulation import pod_status
from simulation.api import BUDGETS, SESSIONS
from simulation.metrics_kit import Grown, scraped
from simulation.story import Story
from simulation.world import NAMESPACE
from stint.sessions.census import SessionGauges

NAMES = ("a", "b", "c")
MARKER = "marker-of-what-nobody-may-read"


def test_each_session_attempt_and_cent_is_counted_once_also_over_restarts(story: Story) -> None:
    grown = Grown()
    for name in NAMES:
        story.start(name)
    story.ends["b", 1] = pod_status.failure("Overloaded")
    story.ends["c", 1] = pod_status.failure("AuthFailed")
    story.go_on_until(lambda: story.phase("a") == "Succeeded")
    story.world.restart()
    story.go_on_to_the_end()
    story.world.restart()
    story.look()
    assert grown.all("stint_sessions_finished_total") == {("Succeeded", "Completed"): 2, ("Failed", "AuthFailed"): 1}
    assert grown.all("stint_attempts_total") == {("Succeeded", "Completed"): 2, ("Failed", "Overloaded"): 1, ("Failed", "AuthFailed"): 1}
    assert sum(grown.all("stint_cost_usd_total").values()) == 4 * float(story.cost)
    assert grown("stint_session_start_seconds_count", stage="pod") == 3
    assert grown("stint_session_start_seconds_count", stage="running") == 3


def test_a_final_status_whose_write_is_refused_at_first_is_counted_once(story: Story) -> None:
    grown = Grown()
    story.start("a")
    story.go_on_until(lambda: story.phase("a") == "Running")
    story.world.edit("a", ttlSecondsAfterFinished=86400)  # not seen yet: the next write of the status is stale
    story.go_on_to_the_end()
    assert grown.all("stint_sessions_finished_total") == {("Succeeded", "Completed"): 1}


def test_a_scrape_follows_the_sessions(story: Story) -> None:
    assembly = story.world.assembly
    gauges = SessionGauges(assembly.caches[SESSIONS], assembly.pods, story.world.loop.clock)

    def found() -> dict[str, float]:
        return {dict(labels)["phase"]: value for (name, labels), value in scraped(gauges).items() if name == "stint_sessions"}

    story.world.create(BUDGETS, "team", {"limits": [{"name": "busy", "resource": "concurrency", "limit": "2"}]}, namespace=NAMESPACE)
    story.world.settle()
    for name in NAMES:
        story.start(name)
    assert found() == {"Pending": 2, "Waiting": 1}
    story.go_on_to_the_end()
    assert found() == {"Succeeded": 3}
    assert not [name for name, _ in scraped(gauges) if name == "stint_session_waiting_oldest_seconds"]


@pytest.fixture
def every_line(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Nothing is silenced, not even what is for developers."""
    logging.disable(logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    yield caplog
    logging.disable(logging.NOTSET)


def test_no_prompt_no_answer_and_no_value_is_in_the_log_at_any_level(story: Story, every_line: pytest.LogCaptureFixture) -> None:
    story.ends["a", 1] = pod_status.failure("AgentCrashed", MARKER)
    story.ends["a", 2] = pod_status.result(text=MARKER)
    story.start("a", prompt=MARKER, agent={"systemPrompt": MARKER, "env": [{"name": "WORD", "value": MARKER}]}, retry={"limit": 1})
    story.go_on_to_the_end()
    decisions = [record.__dict__["decision"] for record in every_line.records if record.name == "stint.sessions.news"]
    assert decisions == ["start", "retry", "start", "finish"]
    assert MARKER in str(story.world.session("a"))
    assert MARKER not in "\n".join(str(record.__dict__) + record.getMessage() for record in every_line.records)
