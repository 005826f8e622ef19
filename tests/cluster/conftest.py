"""One cluster for all tests: Stint from its chart, and the mock API in the model's place. `provision` has the three sorts of cluster.

`STINT_TEST_CLUSTER=NAME` uses the embedded cluster of that name, and keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from cluster.bed import IMAGES, MOCK, MOCK_URL, ROOT, SYSTEM, VALUES, Bed, Mock
from cluster.describe import describe
from cluster.kube import Kube
from cluster.provision.choice import chosen, cluster_of, workers
from cluster.provision.embedded import Embedded
from cluster.provision.interface import AnyCluster
from cluster.provision.selection import KEPT, MARKERS, Selection
from demonstration.errors import CannotRunHere, DemoError


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(Selection(chosen, os.environ))


def pytest_xdist_auto_num_workers() -> int | None:
    try:
        return workers(chosen(), os.cpu_count() or 1, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except DemoError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[AnyCluster]:
    """The cluster, up."""
    found = cluster_of(chosen(), os.environ, pytestconfig)
    try:
        found.start()
    except CannotRunHere as error:
        pytest.exit(str(error), returncode=error.exit_code)
    yield found
    pytestconfig.stash[KEPT] = found.remove()


@pytest.fixture
def embedded(cluster: AnyCluster) -> Embedded:
    """The cluster, for tests that are marked `embedded`."""
    assert isinstance(cluster, Embedded), "a test that uses this fixture needs the mark @pytest.mark.embedded(reason)"
    return cluster


@pytest.fixture(scope="session")
def bed(cluster: AnyCluster) -> Iterator[Bed]:
    """The cluster with everything installed."""
    images = cluster.images(IMAGES)
    kube = Kube(cluster.kubeconfig)
    bed = Bed(cluster, kube, Mock(kube), images)
    manifest = (ROOT / "images/mockapi/deploy.yaml").read_text()
    bed.ensure_namespace(MOCK)
    bed.kubectl("apply", "-n", MOCK, "-f", "-", stdin=manifest.replace("MOCKAPI_IMAGE", bed.images["mockapi"]))
    kube.patch("Deployment", MOCK, "mockapi", {"spec": {"template": {"spec": {"nodeSelector": cluster.node_selector}}}})
    # A node that is not ready for a moment (tests stop the API server) must not make the model unreachable: that would be another test.
    kube.patch("Service", MOCK, "mockapi", {"spec": {"publishNotReadyAddresses": True}})
    bed.kubectl("rollout", "status", "-n", MOCK, "deployment/mockapi", "--timeout=180s")
    bed.install(*VALUES)
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
spec:
  endpoint: {{baseURL: "{MOCK_URL}"}}
  network: {{inCluster: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {MOCK}}}}}, port: 8080}}}}
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the cluster knows of a test that failed: sessions, pods, the ends of their logs."""
    report = yield
    if report.when == "call" and report.failed and {"bed", "namespace"} <= set(getattr(item, "fixturenames", ())):
        funcargs = getattr(item, "funcargs", {})
        report.sections.append(("cluster", describe(funcargs["bed"], funcargs["namespace"])))
    return report
