"""What is there before the pod: the volume, and the NetworkPolicy of its namespace."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from simulation.pod_status import Json
from stint.sessions.pod.claim import volume_claim
from stint.sessions.pod.network import network_policy, policy_name
from stint.settings import NetworkPolicySettings
from unit.sessions.builders import NAME, NAMESPACE, SETTINGS, UID, observed, provider, session
from unit.sessions.kit import the_pod

# The volume


def claim(volume: Json | None = None) -> Json:
    return volume_claim(observed(session({"workspace": {"volume": volume}} if volume else None)))


def test_a_session_gets_a_gibibyte_that_goes_with_it() -> None:
    found = claim()
    assert found["metadata"]["name"] == f"{NAME}-{UID[:8]}"
    assert found["metadata"]["namespace"] == NAMESPACE
    assert found["metadata"]["annotations"] == {"stint.dev/owner-uid": UID}
    assert [one["uid"] for one in found["metadata"]["ownerReferences"]] == [UID]
    assert found["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def test_a_volume_is_as_the_user_wants_it() -> None:
    found = claim({"size": "20Gi", "storageClassName": "fast", "accessModes": ["ReadWriteMany"]})
    assert found["spec"] == {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "20Gi"}}, "storageClassName": "fast"}


@pytest.mark.parametrize(("policy", "owners"), [("Delete", 1), ("Retain", 0)])
def test_a_retained_volume_has_no_owner_but_remembers_whose_it_was(policy: str, owners: int) -> None:
    meta = claim({"retainPolicy": policy})["metadata"]
    assert len(meta["ownerReferences"]) == owners
    assert meta["annotations"]["stint.dev/owner-uid"] == UID


# The NetworkPolicy

WEB = [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 22}]
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]
WORLD: Json = {
    "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE}}, {"ipBlock": {"cidr": "::/0", "except": ["fc00::/7", "fe80::/10"]}}], "ports": WEB,
}  # fmt: skip
DNS: Json = {"ports": [{"protocol": protocol, "port": port} for port in (53, 5353) for protocol in ("UDP", "TCP")]}


def policy(network: Json | None = None, **settings: Any) -> Json:
    changed = SETTINGS.model_copy(update={"network_policy": NetworkPolicySettings(**settings)})
    return network_policy(observed(provider=provider({"network": network} if network else None), settings=changed))


def egress(network: Json | None = None, **settings: Any) -> list[Json]:
    found: list[Json] = policy(network, **settings)["spec"]["egress"]
    return found


def test_a_policy_is_one_per_namespace_and_provider() -> None:
    meta = policy()["metadata"]
    assert meta == {"namespace": NAMESPACE, "name": "stint-agents-default", "labels": {"app.kubernetes.io/managed-by": "stint"}}
    assert policy_name("other") == "stint-agents-other"


def test_a_policy_covers_both_directions_of_the_agents_of_its_provider() -> None:
    spec = policy()["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    labels = the_pod(observed())["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"].items() <= labels.items()
    assert spec["podSelector"]["matchLabels"]["stint.dev/provider"] == "default"
    assert spec["podSelector"]["matchExpressions"] == [{"key": "stint.dev/session", "operator": "Exists"}]


def test_only_the_controller_comes_in_and_only_for_the_report() -> None:
    assert policy()["spec"]["ingress"] == [
        {
            "from": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "stint-system"}},
                    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "stint", "app.kubernetes.io/component": "controller"}},
                }
            ],
            "ports": [{"protocol": "TCP", "port": 8788}],
        }
    ]


def test_the_controller_may_have_other_labels() -> None:
    found = policy(controller_selector={"app": "mine"})["spec"]["ingress"][0]["from"][0]["podSelector"]
    assert found == {"matchLabels": {"app": "mine"}}


IN_CLUSTER: Json = {"inCluster": {"port": 8080}}
LABELS: Json = {"matchLabels": {"app": "gw"}}
NETWORKS: list[Any] = [
    pytest.param(None, [WORLD], id="the world, without the cluster"),
    pytest.param({}, [WORLD], id="a network that says nothing"),
    pytest.param({"cidrs": []}, [WORLD], id="no ranges"),
    pytest.param(
        {"cidrs": ["160.79.104.0/23", "2607:6bc0::/48"]},
        [{"to": [{"ipBlock": {"cidr": "160.79.104.0/23"}}, {"ipBlock": {"cidr": "2607:6bc0::/48"}}], "ports": WEB}], id="these ranges only",
    ),
    pytest.param(IN_CLUSTER, [{"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 8080}]}], id="pods of its own namespace"),
    pytest.param(
        {"inCluster": {"port": 80, "podSelector": LABELS, "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}},
        [{"to": [{"podSelector": LABELS, "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}],
          "ports": [{"protocol": "TCP", "port": 80}]}],
        id="certain pods of certain namespaces",
    ),
    pytest.param(
        {**IN_CLUSTER, "cidrs": ["160.79.104.0/23"]},
        [{"to": [{"ipBlock": {"cidr": "160.79.104.0/23"}}], "ports": WEB}, {"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 8080}]}],
        id="inside and these ranges",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("network", "expected"), NETWORKS)
def test_agents_reach_dns_and_what_their_provider_needs(network: Json | None, expected: list[Json]) -> None:
    assert egress(network) == [DNS, *expected]


@pytest.mark.parametrize("address", ["169.254.169.254", "10.96.0.1", "192.168.1.1", "172.20.0.1", "100.100.0.1", "fd00::1", "fe80::1"])
def test_the_metadata_address_and_the_clusters_ranges_are_out_of_reach(address: str) -> None:
    one = ipaddress.ip_address(address)
    blocks = [peer["ipBlock"] for rule in egress() for peer in rule.get("to", ())]
    inside = [block for block in blocks if one in ipaddress.ip_network(block["cidr"])]
    assert all(any(one in ipaddress.ip_network(no) for no in block["except"]) for block in inside)


def test_a_cluster_may_block_other_ranges_or_none() -> None:
    assert egress(blocked_cidrs=["1.0.0.0/8"])[1]["to"][0] == {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["1.0.0.0/8"]}}
    assert egress(blocked_cidrs=[])[1]["to"][0] == {"ipBlock": {"cidr": "0.0.0.0/0"}}


def test_a_cluster_may_have_other_dns_ports_and_further_rules() -> None:
    more: Json = {"to": [{"podSelector": {}}]}
    found = egress(dns_ports=[1053], extra_egress=[more])
    assert found[0] == {"ports": [{"protocol": "UDP", "port": 1053}, {"protocol": "TCP", "port": 1053}]}
    assert found[-1] == more
