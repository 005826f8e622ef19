"""On which cluster the tests run: by the rule of `make demo`, except that STINT_TEST_CLUSTER always names an embedded cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

import pytest

from cluster.provision.embedded import Embedded
from cluster.provision.given import Given
from cluster.provision.interface import AnyCluster
from cluster.provision.kind import Kind
from demonstration.choice import Purpose, Sort, choose, look
from demonstration.clusters import own_kubeconfigs
from devcluster import Cluster

NAME = "stint-test"
TESTS = Purpose("the test run", "make test-cluster")
NAME_OF_THE_PLUGIN = "pytest-kind"  # its default, under which other projects' clusters may be running

DESCRIPTIONS: dict[Sort, str] = {"given": "the one that KUBECONFIG and CONTEXT name", "kind": "kind", "embedded": "the embedded cluster"}


def sort_of_cluster(environment: Mapping[str, str]) -> Sort:
    """Raises CannotRunHere with what would help."""
    if environment.get("STINT_TEST_CLUSTER"):
        return "embedded"
    own = own_kubeconfigs(environment.get("CLUSTER") or "stint") | own_kubeconfigs(NAME)
    return choose(look(environment, own), TESTS)


@cache
def chosen() -> Sort:
    """The sort for this run of pytest."""
    return sort_of_cluster(os.environ)


def cluster_of(sort: Sort, environment: Mapping[str, str], config: pytest.Config) -> AnyCluster:
    """The cluster itself, not started yet."""
    if sort == "given":
        return Given(environment.get("KUBECONFIG", ""), environment.get("CONTEXT", ""), environment)
    if sort == "kind":
        name = config.getoption("cluster_name")
        return Kind(NAME if name == NAME_OF_THE_PLUGIN else name, config.getoption("kind_image"), config.getoption("keep_cluster"))
    kept = environment.get("STINT_TEST_CLUSTER")
    return Embedded(Cluster(name_for(kept or NAME, config)), keep=bool(kept))


def name_for(name: str, config: pytest.Config) -> str:
    """Of several workers each has a cluster of its own, because tests stop the API server, take nodes away and uninstall Stint."""
    worker: dict[str, str] = getattr(config, "workerinput", {})
    return f"{name}-{worker['workerid']}" if worker else name


def refuse_shared(sort: Sort, config: pytest.Config) -> None:
    """Raises UsageError where several workers would have one cluster: only the embedded one has a name for each."""
    worker: dict[str, int] = getattr(config, "workerinput", {})
    count = worker.get("workercount", 1)
    if count > 1 and sort != "embedded":
        raise pytest.UsageError(
            f"{count} workers can't share a cluster (it is {DESCRIPTIONS[sort]}), because tests remove nodes and uninstall Stint: "
            'run without workers, ARGS="-n 0".'
        )


def workers(sort: Sort, cores: int, memory: int) -> int:
    """How many of `-n auto`; 0: no workers. ``memory`` in bytes; a cluster with the tests' pods takes some 4 GiB."""
    return 2 if sort == "embedded" and cores >= 2 and memory >= 12 * 2**30 else 0
