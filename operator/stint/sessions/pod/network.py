"""The NetworkPolicy of a namespace that has agents: one per provider that they use.

In: nothing but the controller, to the gateway's report port. Out: DNS, and the world on 443 and 22 without the cluster's own ranges and the cloud's
metadata address; plus what a provider inside the cluster or a narrower list of ranges needs.
"""

from __future__ import annotations

from typing import Any

from stint.api.provider import Network
from stint.engine.plan import Manifest
from stint.sessions.names import MANAGED_BY, MANAGED_BY_LABEL, SESSION_LABEL
from stint.sessions.observed import Observed

POLICY_NAME = "stint-agents"
REPORT_PORT = 8788
PRIVATE_IPV6 = ["fc00::/7", "fe80::/10"]
PROVIDER_LABEL = "stint.dev/provider"


def network_policy(seen: Observed) -> Manifest:
    """The policy for agent pods that use the session's provider. Its name carries the provider where that narrows or widens it."""
    assert seen.provider is not None
    network = seen.provider.spec.network
    settings = seen.settings.network_policy
    selector: dict[str, Any] = {
        "matchLabels": {MANAGED_BY_LABEL: MANAGED_BY, PROVIDER_LABEL: seen.provider.name},
        "matchExpressions": [{"key": SESSION_LABEL, "operator": "Exists"}],
    }
    controller = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": seen.settings.system_namespace}},
        "podSelector": {"matchLabels": settings.controller_selector},
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "namespace": seen.namespace,
            "name": policy_name(seen.provider.name),
            "labels": {MANAGED_BY_LABEL: MANAGED_BY},
        },
        "spec": {
            "podSelector": selector,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [controller], "ports": [{"protocol": "TCP", "port": REPORT_PORT}]}],
            "egress": [_dns(settings.dns_ports), *_outside(network, settings.blocked_cidrs), *_inside(network), *settings.extra_egress],
        },
    }


def policy_name(provider: str) -> str:
    return f"{POLICY_NAME}-{provider}"


def _dns(ports: list[int]) -> dict[str, Any]:
    return {"ports": [{"protocol": protocol, "port": port} for port in ports for protocol in ("UDP", "TCP")]}


def _outside(network: Network | None, blocked: list[str]) -> list[dict[str, Any]]:
    ports = [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 22}]
    cidrs = (network.cidrs if network else None) or []
    if cidrs:
        return [{"to": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs], "ports": ports}]
    if network is not None and network.in_cluster is not None:
        return []
    world = [
        {"ipBlock": {"cidr": "0.0.0.0/0", **({"except": blocked} if blocked else {})}},
        {"ipBlock": {"cidr": "::/0", "except": PRIVATE_IPV6}},
    ]
    return [{"to": world, "ports": ports}]


def _inside(network: Network | None) -> list[dict[str, Any]]:
    if network is None or network.in_cluster is None:
        return []
    place = network.in_cluster
    peer: dict[str, Any] = {"podSelector": place.pod_selector.dump() if place.pod_selector else {}}
    if place.namespace_selector is not None:
        peer["namespaceSelector"] = place.namespace_selector.dump()
    return [{"to": [peer], "ports": [{"protocol": "TCP", "port": place.port}]}]
