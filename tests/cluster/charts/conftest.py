"""The charts, rendered with the shipped values and with extreme ones. Needs helm, but no cluster; the tests in tests/unit/charts need neither."""

import pytest

from cluster.charts.helm import Helm, Manifest
from cluster.charts.values import EXTREME


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module", params=["default", "extreme"])
def rendered(request: pytest.FixtureRequest, helm: Helm) -> list[Manifest]:
    return helm.template("stint", EXTREME if request.param == "extreme" else None)


@pytest.fixture(scope="module")
def default(helm: Helm) -> list[Manifest]:
    return helm.template("stint")


@pytest.fixture(scope="module")
def extreme(helm: Helm) -> list[Manifest]:
    return helm.template("stint", EXTREME)
