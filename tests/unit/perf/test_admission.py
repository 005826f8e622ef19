"""What the benchmark of admission asks is what the API server would ask."""

from __future__ import annotations

from typing import Any

import orjson

from perf.admission import BUDGETS, SHARED, TEAMS, budgets, statuses
from perf.admission_load import Order, paced, question, session
from simulation.structural import problems, schema_of
from stint.budgets.budget import read_budget
from stint.identity import annotations_of, creator_of
from unit.admission.kit import Cluster

ORDER = Order("review", 1, 1, "direct", TEAMS)


def test_every_budget_can_be_counted_and_every_status_stored() -> None:
    found = list(budgets())
    assert len(found) == BUDGETS
    for item, status in zip(found, statuses(), strict=True):
        assert problems(schema_of("ratebudgets"), item) == []
        assert read_budget(item).key.name == status["metadata"]["name"]
        assert len(status["status"]["accounts"]) == 50


def test_a_session_is_weighed_by_all_shared_budgets_and_its_teams_own() -> None:
    cluster = Cluster()
    for number, (item, status) in enumerate(zip(budgets(), statuses(), strict=True)):
        meta = {**item["metadata"], "uid": f"u-{number}", "resourceVersion": str(number), "generation": 1}
        cluster.world.budgets.take({**item, "metadata": meta, "status": status["status"]})
    judged = cluster.create(session(ORDER, 3)["spec"], namespace="team-3")
    assert (judged.answer.refusal, len(judged.places)) == ("", SHARED + 1)


def test_a_question_is_about_a_session_that_is_stamped_already() -> None:
    review: Any = orjson.loads(question(session(ORDER, 7), 7))
    creator = creator_of(annotations_of(review["request"]["object"]))
    assert creator is not None
    assert (creator.user, review["request"]["namespace"], review["request"]["operation"]) == ("user-7", "team-7", "CREATE")


async def test_requests_are_sent_in_time_and_measured_from_then() -> None:
    sent: list[int] = []

    async def send(number: int) -> None:
        sent.append(number)

    found = await paced(5, 500, send)
    assert sent == [0, 1, 2, 3, 4]
    assert all(0 <= each < 500 for each in found)
