"""What helm makes of the charts, read the way the API server would: who may do what, and who may talk to whom."""


import pytest

from cluster.charts.helm import NAMESPACE, Helm, Manifest, named, of_kind

# Permissions


def test_permissions_are_bound_to_their_own_accounts_only(rendered: list[Manifest]) -> None:
    for binding in (*of_kind(rendered, "ClusterRoleBinding"), *of_kind(rendered, "RoleBinding")):
        name = binding["metadata"]["name"]
        account = "stint-controller" if name == "stint-certificate" else name
        assert binding["roleRef"]["name"] == name
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]


def test_no_permission_is_a_wildcard_lists_secrets_or_enters_pods(rendered: list[Manifest]) -> None:
    for role in (*of_kind(rendered, "ClusterRole"), *of_kind(rendered, "Role")):
        for rule in role["rules"]:
            words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert "*" not in words
            assert not words & {"pods/exec", "pods/attach", "pods/ephemeralcontainers", "nodes", "escalate", "bind", "impersonate"}
            if "secrets" in rule["resources"]:
                assert rule["verbs"] in (["get"], ["get", "patch"], ["create"])
                assert rule["verbs"] == ["get"] or role["kind"] == "Role"
                assert rule["verbs"] != ["get", "patch"] or rule["resourceNames"] == ["stint-admission-tls"]


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_stints_kinds_are_part_of_the_clusters_own_roles(default: list[Manifest], role: str) -> None:
    labels = named(default, "ClusterRole", f"stint-{role}")["metadata"]["labels"]
    assert labels[f"rbac.authorization.k8s.io/aggregate-to-{role}"] == "true"


# Network


def test_the_controller_answers_probes_and_metrics_and_calls_nobody_but_whom_it_must(default: list[Manifest]) -> None:
    policy = named(default, "NetworkPolicy", "stint-controller")["spec"]
    ports = {(port["protocol"], port["port"]) for rule in policy["egress"] for port in rule["ports"]}

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8080}]}]
    dns = {(protocol, port) for protocol in ("UDP", "TCP") for port in (53, 5353)}
    assert ports == {("TCP", 443), ("TCP", 6443), *dns, ("TCP", 8788)}


def test_admission_is_reached_by_the_api_server_and_reaches_nothing_else(default: list[Manifest]) -> None:
    policy = named(default, "NetworkPolicy", "stint-admission")["spec"]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [9443, 8080]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {443, 6443, 53, 5353}


def test_the_controllers_network_can_be_narrowed(extreme: list[Manifest]) -> None:
    policy = named(extreme, "NetworkPolicy", "stint-controller")["spec"]
    (metrics,) = policy["ingress"]
    api_server, dns, _, extra = policy["egress"]

    assert metrics["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert api_server == {"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}], "ports": [{"protocol": "TCP", "port": 8443}]}
    assert dns["to"] == [{"ipBlock": {"cidr": "169.254.20.10/32"}}]
    assert {port["port"] for port in dns["ports"]} == {1053}
    assert extra == {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}


def test_egress_alone_can_be_left_open(helm: Helm) -> None:
    manifests = helm.template("stint", {"networkPolicy": {"controller": {"egress": {"enabled": False}}}})
    policy = named(manifests, "NetworkPolicy", "stint-controller")
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert "egress" not in policy["spec"]
