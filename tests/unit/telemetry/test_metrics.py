"""The definitions: names and labels as Prometheus wants them, and bounds."""

from __future__ import annotations

import re

import pytest

from stint.telemetry.define import OTHER, Bounded, Definition, Definitions, most_frequent
from stint.telemetry.metrics import admission, controller

ALL = [*controller.all, *admission.all]
UNITS = ("_seconds", "_ratio", "_usd_total", "_total", "_info")
KEPT_BY_PROMETHEUS = {"job", "instance", "namespace", "pod", "container", "service", "endpoint", "node", "le", "quantile", "prometheus"}
each_one = pytest.mark.parametrize("metric", ALL, ids=lambda metric: f"{metric.process} {metric.name}")


@each_one
def test_a_name_follows_the_rules(metric: Definition) -> None:
    assert re.fullmatch(r"stint(_[a-z]+)+", metric.name)
    assert (metric.type == "counter") == metric.name.endswith("_total")
    assert metric.type != "histogram" or metric.name.endswith("_seconds")
    assert metric.help.endswith(".")


@each_one
def test_no_label_holds_what_has_no_bound_or_belongs_to_prometheus(metric: Definition) -> None:
    assert not set(metric.labels) & (KEPT_BY_PROMETHEUS | {"session", "uid", "user", "name", "prompt", "message"})
    assert all(re.fullmatch("[a-z]+", label) for label in metric.labels)


@each_one
def test_buckets_are_in_order(metric: Definition) -> None:
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert (metric.type == "histogram") == bool(metric.buckets)


def test_every_name_is_there_once_in_a_process() -> None:
    for process in (controller, admission):
        names = [metric.name for metric in process.all]
        assert len(names) == len(set(names))


def test_counters_have_no_time_series_of_their_creation() -> None:
    names = {sample.name for metric in controller.registry.collect() for sample in metric.samples}
    assert not [name for name in names if name.endswith("_created")]


def test_the_process_itself_is_measured() -> None:
    for process in (controller, admission):
        assert "process_cpu_seconds" in {metric.name for metric in process.registry.collect()}


def test_a_metric_is_exposed_as_it_is_defined() -> None:
    made = Definitions("controller")
    made.counter("stint_a_total", "A.", "kind").labels("x").inc(2)
    made.gauge("stint_b", "B.").set(3)
    made.histogram("stint_c_seconds", "C.", buckets=(1.0, 2.0)).observe(1.5)
    found = {sample.name: sample.value for metric in made.registry.collect() for sample in metric.samples}
    assert (found["stint_a_total"], found["stint_b"], found["stint_c_seconds_count"]) == (2, 3, 1)
    assert [metric.type for metric in made.all] == ["counter", "gauge", "histogram"]


def test_what_comes_from_outside_is_bounded() -> None:
    known = Bounded(2)
    assert [known(value) for value in ("a", "b", "c", "a", "d")] == ["a", "b", OTHER, "a", OTHER]


def test_of_many_counts_the_largest_keep_their_names() -> None:
    counts = {("Waiting", "A"): 5, ("Waiting", "B"): 1, ("Stalled", "C"): 3, ("Waiting", "D"): 1}
    assert most_frequent(counts, 2) == {("Waiting", "A"): 5, ("Stalled", "C"): 3, ("Waiting", OTHER): 2}
    assert most_frequent(counts) == counts
