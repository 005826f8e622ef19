"""What a scrape says of providers, and the count of changes of circuits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from simulation.metrics_kit import Grown, scraped, series
from stint.providers import gauges
from stint.providers.gauges import ProviderGauges, ProviderNews
from stint.providers.window import Window
from unit.providers.kit import NOW, PROVIDER, Crossing, passage

CIRCUIT, WINDOW = "stint_circuit_state", "stint_provider_window_utilization_ratio"


def shown(crossing: Crossing) -> dict[Any, float]:
    return scraped(ProviderGauges(crossing.traffic, lambda: crossing.now))


def circuit(credential: str = "", model: str = "") -> Any:
    return series(CIRCUIT, provider="team-a/default", model=model, credential=credential)


def test_a_provider_that_never_failed_shows_a_closed_circuit() -> None:
    crossing = Crossing()
    assert crossing.road
    assert shown(crossing) == {circuit(): 0}


def test_circuits_show_what_they_are_for_and_their_state() -> None:
    crossing = Crossing()
    crossing.fail("x", "AuthFailed")
    assert shown(crossing) == {circuit(): 0, circuit("team-a/anthropic"): 2}
    crossing.open()
    assert shown(crossing)[circuit()] == 2
    assert shown(crossing)[circuit("team-a/anthropic", "claude-x")] == 2


def test_a_window_shows_how_much_of_it_is_used_until_it_is_over() -> None:
    # given
    crossing = Crossing()
    window = series(WINDOW, provider="team-a/default", credential="team-a/anthropic", window="FiveHour")
    crossing.traffic.tell(passage("x"), [Window("FiveHour", "Rejected", 100, NOW + timedelta(hours=1), NOW)], NOW)
    crossing.traffic.tell(passage("x"), [Window("SevenDay", "Allowed", None, None, NOW)], NOW)
    assert [key for key in shown(crossing) if key[0] == WINDOW] == [window]
    assert shown(crossing)[window] == 1.0
    # when
    crossing.now += timedelta(hours=2)
    # then
    assert shown(crossing)[window] == 0.0


def test_so_many_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "MOST", 2)
    crossing = Crossing()
    for namespace in ("a", "b", "c"):
        crossing.fail("x", "AuthFailed", namespace=namespace)
    assert len(shown(crossing)) == 2


def test_changes_of_circuits_are_counted_by_the_new_state() -> None:
    grown = Grown()
    status: dict[str, Any] = {"circuits": [{"scope": "Provider", "state": "Closed"}]}
    opened: dict[str, Any] = {"circuits": [{"scope": "Provider", "state": "Open"}]}
    ProviderNews(PROVIDER, status).written(opened)
    ProviderNews(PROVIDER, opened).written(opened)
    ProviderNews(PROVIDER, opened).written(status)
    name = "stint_circuit_transitions_total"
    assert grown.all(name) == {("team-a/default", "Open"): 1, ("team-a/default", "Closed"): 1}
