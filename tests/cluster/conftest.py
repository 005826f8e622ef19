"""One cluster for all tests: two real nodes, Stint from its chart, the mock API.

`STINT_TEST_CLUSTER=NAME` uses a cluster of that name, and keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from cluster.bed import MOCK, MOCK_URL, ROOT, SYSTEM, Bed, Mock, build_images
from cluster.describe import describe
from cluster.kube import Kube
from devcluster import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with two nodes."""
    kept = os.environ.get("STINT_TEST_CLUSTER")
    cluster = Cluster(kept or "stint-test")
    cluster.up(nodes=2)
    yield cluster
    if not kept:
        cluster.down()


@pytest.fixture(scope="session")
def bed(cluster: Cluster) -> Iterator[Bed]:
    """The cluster with everything installed."""
    images = build_images()
    for _, archive in images.values():
        cluster.load(archive)
    kube = Kube(cluster.kubeconfig)
    bed = Bed(cluster, kube, Mock(kube), {name: reference for name, (reference, _) in images.items()})
    manifest = (ROOT / "images/mockapi/deploy.yaml").read_text()
    bed.kubectl("create", "namespace", MOCK, "--dry-run=client", "-o", "yaml")
    if kube.find("Namespace", "", MOCK) is None:
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MOCK}})
    bed.kubectl("apply", "-n", MOCK, "-f", "-", stdin=manifest.replace("MOCKAPI_IMAGE", bed.images["mockapi"]))
    pinned = {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "node1"}}}}}  # tests take node2 away
    kube.patch("Deployment", MOCK, "mockapi", pinned)
    # A node that is not ready for a moment (tests stop the API server) must not make the model unreachable: that would be another test.
    kube.patch("Service", MOCK, "mockapi", {"spec": {"publishNotReadyAddresses": True}})
    bed.kubectl("rollout", "status", "-n", MOCK, "deployment/mockapi", "--timeout=60s")
    bed.install('controller.extraEnv=[{"name":"STINT_REFERENCE_RECHECK_SECONDS","value":"2"}]')
    bed.kubectl("apply", "-f", "-", stdin=PROVIDER)
    yield bed
    kube.close()


@pytest.fixture
def namespace(bed: Bed) -> Iterator[str]:
    """A namespace of the test's own; everything in it goes with it."""
    name = bed.namespace()
    yield name
    bed.kube.delete("Namespace", "", name)


PROVIDER = f"""
apiVersion: stint.dev/v1alpha1
kind: ModelProvider
metadata: {{name: default, namespace: {SYSTEM}}}
spec: {{endpoint: {{baseURL: "{MOCK_URL}"}}}}
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the cluster knows of a test that failed: sessions, pods, the ends of their logs."""
    report = yield
    if report.when == "call" and report.failed and {"bed", "namespace"} <= set(getattr(item, "fixturenames", ())):
        funcargs = getattr(item, "funcargs", {})
        report.sections.append(("cluster", describe(funcargs["bed"], funcargs["namespace"])))
    return report
