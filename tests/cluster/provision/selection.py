"""Which tests run on the chosen cluster. Those that it cannot serve are left out, and the run says which and why.

With workers of pytest-xdist only they see tests, and only the main process is heard: what is to be said travels in a worker's output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cluster.provision.choice import DESCRIPTIONS, refuse_shared
from cluster.provision.given import image_variable
from demonstration.choice import Sort
from demonstration.errors import DemoError

MARKERS = (
    "embedded(reason): needs what only the embedded cluster can do",
    "image(name): needs an image beside operator, agent and mockapi",
)
NEEDS_CLUSTER = {"bed", "cluster"}
KEPT = pytest.StashKey[list[str]]()
"""In the configuration: what `AnyCluster.remove` returned."""
SORT, LEFT_OUT, REFUSAL, KEPT_BY_WORKER = "stint_cluster", "stint_left_out", "stint_refusal", "stint_kept"
"""Names in a worker's output."""


class Selection:
    """A plug-in of pytest; `choose` is asked only if a test needs a cluster."""

    def __init__(self, choose: Callable[[], Sort], environment: Mapping[str, str]) -> None:
        self._choose = choose
        self._environment = environment
        self._sort: Sort | None = None
        self._of_workers: Sort | None = None
        self._left_out: list[tuple[str, str]] = []
        self._kept: list[str] = []

    @pytest.hookimpl(trylast=True)  # after -k and -m
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if not any(NEEDS_CLUSTER & set(getattr(item, "fixturenames", ())) for item in items):
            return
        output: dict[str, Any] = getattr(config, "workeroutput", {})
        try:
            self._sort = self._choose()
            refuse_shared(self._sort, config)
        except (DemoError, pytest.UsageError) as error:
            output[REFUSAL] = str(error)
            raise pytest.UsageError(str(error)) from error
        reasons = {item: reason for item in items if (reason := self._why_not(item, self._sort))}
        self._left_out = [(item.nodeid, reason) for item, reason in reasons.items()]
        if reasons:
            items[:] = [item for item in items if item not in reasons]
            config.hook.pytest_deselected(items=list(reasons))
        output |= {SORT: self._sort, LEFT_OUT: self._left_out}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """In the main process: a worker has ended. One that broke down has no output."""
        output: dict[str, Any] = getattr(node, "workeroutput", {})
        if REFUSAL in output:
            raise pytest.UsageError(output[REFUSAL])
        self._of_workers = output.get(SORT, self._of_workers)
        self._left_out = output.get(LEFT_OUT, self._left_out)
        self._kept += output.get(KEPT_BY_WORKER, [])

    @pytest.hookimpl(trylast=True)  # after the teardown of fixtures, which is here when a run is stopped
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        kept = session.config.stash.get(KEPT, [])
        self._kept += kept
        output: dict[str, Any] = getattr(session.config, "workeroutput", {})
        output[KEPT_BY_WORKER] = kept

    def pytest_report_collectionfinish(self) -> list[str]:
        return [f"cluster: {DESCRIPTIONS[self._sort]}"] if self._sort else []

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._of_workers:
            terminalreporter.line(f"cluster: {DESCRIPTIONS[self._of_workers]}")
        if self._left_out:
            terminalreporter.section("left out on this cluster")
            for nodeid, reason in self._left_out:
                terminalreporter.line(f"{nodeid}: {reason}")
        if self._kept:
            terminalreporter.section("kept")
            for sentence in self._kept:
                terminalreporter.line(sentence)

    def _why_not(self, item: pytest.Item, sort: Sort) -> str | None:
        if sort != "embedded" and (marker := item.get_closest_marker("embedded")):
            return f"only the embedded cluster can do this: {marker.args[0]}"
        if sort == "given" and (marker := item.get_closest_marker("image")):
            variable = image_variable(marker.args[0])
            return None if self._environment.get(variable) else f"{variable} is not set"
        return None
