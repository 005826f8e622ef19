"""The configurations that `up` renders, where a slip would only show after a long start."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from devcluster import addons, audit, controlplane, kwok, network, node
from devcluster.components import Component, Plan, Setup, read_plan, read_status, stopped_marker
from devcluster.state import Shape

STATE = Path("/state")
PROGRAMS = Path("/programs")


def test_a_single_node_needs_no_further_network_namespace() -> None:
    assert not any("netns" in command for command in network.commands(1))


def test_every_node_has_a_route_to_the_pods_of_every_other() -> None:
    commands = [" ".join(command) for command in network.commands(3)]
    for name, others in (("node2", ("10.244.0.0/24 via 172.30.0.1", "10.244.2.0/24 via 172.30.0.3")), ("node3", ("10.244.1.0/24 via 172.30.0.2",))):
        for other in others:
            assert f"ip -n {name} route add {other}" in commands
    assert "ip route add 10.244.2.0/24 via 172.30.0.3" in commands


def test_no_cluster_has_a_default_route() -> None:
    assert not any("default" in command for command in network.commands(3))


def test_containerd_gets_a_valid_configuration() -> None:
    config = tomllib.loads(node.containerd_config(Path("/cni/bin"), Path("/cni/conf"), "overlayfs"))
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["cni"] == {"bin_dirs": ["/cni/bin"], "conf_dir": "/cni/conf"}
    assert runtime["restrict_oom_score_adj"]
    assert config["plugins"]["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == node.PAUSE_IMAGE
    assert config["imports"] == []


def test_each_kubelet_has_its_own_address_and_cgroup() -> None:
    one, two = (node.kubelet_config("stint", STATE / "nodes" / f"node{index}", STATE / "pki", index) for index in (1, 2))
    assert (one["address"], two["address"]) == ("172.30.0.1", "172.30.0.2")
    assert (one["cgroupRoot"], two["cgroupRoot"]) == ("/stint-stint/node1", "/stint-stint/node2")
    assert one["failCgroupV1"] is False
    assert one["syncFrequency"] == "5s"


def test_only_further_nodes_enter_a_network_of_their_own() -> None:
    first, second = (node.components(STATE, index, PROGRAMS) for index in (1, 2))
    assert not any("--net=" in word for component in first for word in component.argv)
    assert all("--net=/run/netns/node2" in component.argv for component in second)


def test_a_lost_real_node_is_noticed_soon_and_a_fake_one_may_be_slow() -> None:
    real = controlplane.kube_controller_manager(STATE, Shape(nodes=1), PROGRAMS)
    fake = controlplane.kube_controller_manager(STATE, Shape(nodes=0, kwok=5), PROGRAMS)
    assert "--node-monitor-grace-period=10s" in real
    assert not any("grace" in flag for flag in fake)


def test_the_audit_log_holds_writes_only(tmp_path: Path) -> None:
    flags = audit.flags(tmp_path)
    policy = json.loads((tmp_path / "audit-policy.json").read_text())
    assert f"--audit-log-path={audit.log_file(tmp_path)}" in flags
    assert policy["rules"][-1] == {"level": "None"}
    assert all("get" not in rule.get("verbs", []) for rule in policy["rules"])


def test_extra_stages_are_appended_to_ours(tmp_path: Path) -> None:
    extra = tmp_path / "extra.yaml"
    extra.write_text("kind: Stage\nmetadata: {name: mine}\n")
    assert kwok.components(tmp_path, Shape(nodes=0, kwok=1, kwok_stages=str(extra)), PROGRAMS)
    stages = [stage["metadata"]["name"] for stage in yaml.safe_load_all((tmp_path / "kwok-stages.yaml").read_text())]
    assert stages == ["node-up", "pod-run", "pod-gone", "mine"]


def test_fake_nodes_are_tainted_only_beside_real_ones() -> None:
    assert kwok.fake_node(1, tainted=False)["spec"]["taints"] == []
    assert kwok.fake_node(1, tainted=True)["spec"]["taints"][0]["effect"] == "NoSchedule"


@pytest.mark.parametrize("file", ["coredns.yaml", "storageclass.yaml"])
def test_every_manifest_is_of_a_kind_that_can_be_applied(file: str) -> None:
    for thing in yaml.safe_load_all((addons.MANIFESTS / file).read_text()):
        assert thing["kind"] in addons.RESOURCES


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    setup = Setup("node1", tmpfs=["/run"], binds=[("/a", "/b")], fixed={"/proc/sys/x": "1"}, commands=[["ip", "link"]], shared=True)
    plan = Plan(str(tmp_path), "/ca.crt", setup, [Component("etcd", ["etcd", "--x"], after=["http://127.0.0.1/"], descriptors=[3])])
    assert read_plan(plan.write()) == plan
    assert read_status(tmp_path) == {}
    assert stopped_marker(tmp_path, "etcd").parent.is_dir()
