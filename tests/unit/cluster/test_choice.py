"""On which cluster the cluster tests run."""

import os
from pathlib import Path

import pytest

from cluster.provision.choice import name_for, refuse_shared, sort_of_cluster, workers
from demonstration.choice import Sort
from demonstration.clusters import own_kubeconfigs
from demonstration.errors import CannotRunHere

IMAGES = {"OPERATOR_IMAGE": "r/operator:1", "AGENT_IMAGE": "r/agent:1", "MOCKAPI_IMAGE": "r/mockapi:1"}


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux and root, neither Docker nor kind."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.fixture
def docker_and_kind(tmp_path: Path) -> None:
    for program in ("docker", "kind"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)


def test_without_docker_the_tests_run_on_the_embedded_cluster() -> None:
    assert sort_of_cluster({}) == "embedded"


def test_docker_and_kind_come_before_the_embedded_cluster(docker_and_kind: None) -> None:
    assert sort_of_cluster({}) == "kind"


def test_a_given_cluster_comes_first(docker_and_kind: None) -> None:
    assert sort_of_cluster({"KUBECONFIG": "/home/me/config", **IMAGES}) == "given"
    assert sort_of_cluster({"CONTEXT": "staging", **IMAGES}) == "given"


def test_a_named_test_cluster_is_an_embedded_one_whatever_else_there_is(docker_and_kind: None) -> None:
    assert sort_of_cluster({"STINT_TEST_CLUSTER": "mine", "KUBECONFIG": "/home/me/config"}) == "embedded"


@pytest.mark.parametrize(("environment", "name"), [({}, "stint"), ({"CLUSTER": "other"}, "other"), ({}, "stint-test")])
def test_the_kubeconfig_of_a_cluster_that_the_demo_or_a_test_run_made_is_no_given_cluster(environment: dict[str, str], name: str) -> None:
    for own in own_kubeconfigs(name):
        assert sort_of_cluster({**environment, "KUBECONFIG": own}) == "embedded"


def test_a_given_cluster_without_images_is_refused_in_words_for_tests() -> None:
    with pytest.raises(CannotRunHere, match=r"set OPERATOR_IMAGE, AGENT_IMAGE, MOCKAPI_IMAGE; or .* a cluster of the test run's own"):
        sort_of_cluster({"KUBECONFIG": "/home/me/config"})


def test_a_user_who_is_not_root_is_told_what_the_tests_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotRunHere, match=r"^The test run needs either root \(sudo make test-cluster\) or Docker with kind"):
        sort_of_cluster({})


GIB = 2**30


@pytest.mark.parametrize(
    ("sort", "cores", "memory", "expected"),
    [("embedded", 2, 24 * GIB, 2), ("embedded", 16, 64 * GIB, 2), ("embedded", 1, 24 * GIB, 0), ("embedded", 2, 8 * GIB, 0), ("kind", 8, 64 * GIB, 0), ("given", 8, 64 * GIB, 0)],
)
def test_two_workers_run_where_two_clusters_can_be_made_and_fit(sort: Sort, cores: int, memory: int, expected: int) -> None:
    assert workers(sort, cores, memory) == expected


def test_each_worker_has_a_cluster_of_its_own(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytestconfig, "workerinput", {"workerid": "gw1"}, raising=False)
    assert name_for("ci", pytestconfig) == "ci-gw1"
    monkeypatch.delattr(pytestconfig, "workerinput")
    assert name_for("ci", pytestconfig) == "ci"


@pytest.mark.parametrize(
    ("sort", "count", "refused"), [("embedded", 2, False), ("kind", 2, True), ("given", 3, True), ("kind", 1, False), ("given", 1, False)]
)
def test_workers_do_not_share_a_cluster(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, sort: Sort, count: int, refused: bool) -> None:
    monkeypatch.setattr(pytestconfig, "workerinput", {"workerid": "gw0", "workercount": count}, raising=False)
    if not refused:
        refuse_shared(sort, pytestconfig)
        return
    with pytest.raises(pytest.UsageError, match=rf'^{count} workers can\'t share .*ARGS="-n 0"'):
        refuse_shared(sort, pytestconfig)


def test_without_workers_there_is_nothing_to_share(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pytestconfig, "workerinput", raising=False)
    refuse_shared("kind", pytestconfig)
