"""A cluster with a real node, Stint installed by its chart, and the mock API in the model's place."""

from __future__ import annotations

import shutil
from types import TracebackType
from typing import Self

from cluster.bed import IMAGES, KEY, MOCK, MOCK_URL, SYSTEM, Bed, Mock
from cluster.kube import Kube
from cluster.provision.embedded import Embedded
from devcluster import Cluster
from perf.bed import IDLE
from perf.benchmark import CannotMeasure, say
from perf.controller import ROOT
from perf.manifests import Json

SMALL = '{"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "1Gi"}}'
"""So that fifty pods fit on a small node: the scheduler counts requests, not what is used."""
VALUES = (f"sessions.resources.agent={SMALL}", f"sessions.resources.gateway={SMALL}")


class RealBed:
    """One cluster for one measurement; ``bed`` has the tools of the cluster tests."""

    bed: Bed
    namespace: str

    def __init__(self, name: str) -> None:
        self.cluster = Cluster(name, quiet=True)
        self._place = Embedded(self.cluster, nodes=1)

    def __enter__(self) -> Self:
        if shutil.which("buildah") is None:
            raise CannotMeasure("Stint's images are built with buildah, and it is not installed: run `make setup` as root")
        self.cluster.down()
        self._place.start()
        try:
            self._furnish()
        except BaseException:
            self.cluster.down()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.bed.kube.close()
        self.cluster.down()

    def _furnish(self) -> None:
        images = self._place.images(IMAGES)
        kube = Kube(self.cluster.kubeconfig)
        self.bed = bed = Bed(self._place, kube, Mock(kube), images)
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MOCK}})
        manifest = (ROOT / "images/mockapi/deploy.yaml").read_text().replace("MOCKAPI_IMAGE", bed.images["mockapi"])
        bed.kubectl("apply", "-n", MOCK, "-f", "-", stdin=manifest)
        bed.kubectl("rollout", "status", "-n", MOCK, "deployment/mockapi", "--timeout=60s")
        bed.install(*VALUES)
        kube.create(_provider())
        self.namespace = bed.namespace()
        say(f"a real node is ready; {IDLE:.0f} s of silence after the first session")

    @property
    def url(self) -> str:
        """The model, as pods reach it."""
        return MOCK_URL

    @property
    def key(self) -> str:
        return KEY


def _provider() -> Json:
    return {
        "apiVersion": "stint.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": "default", "namespace": SYSTEM},
        "spec": {"endpoint": {"baseURL": MOCK_URL}},
    }  # fmt: skip
