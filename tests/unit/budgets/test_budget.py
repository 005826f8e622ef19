"""A RateBudget is read into numbers and windows."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cluster.manifests import table
from stint.api.base import InvalidObject
from stint.budgets.amounts import amounts
from stint.budgets.budget import BudgetKey, Limit, read_budget
from stint.budgets.windows import Calendar, Rolling
from unit.budgets.kit import COST_10_DAILY, COST_10_HOUR, budget

FULL = {case.name: case.manifest for case in table().good}["everything a budget can say"]


def test_every_limit_gets_its_window() -> None:
    found = read_budget({**FULL, "metadata": {"namespace": "a", "name": "team"}})

    assert found.key == BudgetKey("a", "team")
    assert found.limits == (
        Limit("rate", "sessions", Decimal(60), Rolling(60), 10),
        Limit("starts", "sessions", Decimal(1000), Calendar("Monthly")),
        Limit("busy", "concurrency", Decimal(20)),
        Limit("day", "cost", Decimal(50), Calendar("Daily", ZoneInfo("Europe/Paris"))),
        Limit("hour", "tokens", Decimal(2_000_000), Rolling(3600)),
        Limit("input", "inputTokens", Decimal(1_000_000), Calendar("Hourly")),
        Limit("output", "outputTokens", Decimal(1_000_000), Rolling(5400)),
    )
    assert found.reserve == amounts("1.00", 200_000, 150_000, 50_000)
    assert (found.at_limit, found.when_spent, found.warn_at, found.problem) == ("Reject", "Suspend", (80, 95), "")


def test_a_rate_without_a_burst_starts_one_at_a_time() -> None:
    (limit,) = budget({"name": "rate", "resource": "sessions", "limit": "60", "window": "1m"}).limits
    assert limit.burst == 1


def test_an_unknown_time_zone_is_named_and_the_limit_holds_in_utc() -> None:
    found = budget({**COST_10_DAILY, "timeZone": "Mars/Olympus"})
    assert found.limits[0].window == Calendar("Daily")
    assert "Mars/Olympus" in found.problem


@pytest.mark.parametrize("zone", ["../etc/passwd", "/etc/passwd", "Local", "", "a\0b"])
def test_no_time_zone_leads_out_of_the_zones(zone: str) -> None:
    assert budget({**COST_10_DAILY, "timeZone": zone}).problem


def test_budgets_are_compared_by_what_they_say() -> None:
    assert budget({**COST_10_DAILY, "timeZone": "Europe/Paris"}) == budget({**COST_10_DAILY, "timeZone": "Europe/Paris"})
    assert budget(COST_10_DAILY) != budget(COST_10_HOUR)


def test_what_cannot_be_read_says_so() -> None:
    with pytest.raises(InvalidObject, match=r"spec\.limits"):
        read_budget({"metadata": {"name": "a", "namespace": "b"}, "spec": {}})


def test_a_limit_that_is_no_number_cannot_be_read() -> None:
    """The API server refuses it; an object from before the rule must not end the process."""
    with pytest.raises(InvalidObject, match=r"spec\.limits\.busy\.limit: 'many' is no number"):
        budget({"name": "busy", "resource": "concurrency", "limit": "many"})
