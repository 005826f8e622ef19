"""Paths of resources."""

from __future__ import annotations

import pytest

from stint.kube.resources import NETWORK_POLICIES, PODS, Resource


@pytest.mark.parametrize(
    ("resource", "place", "path"),
    [
        (PODS, (), "/api/v1/pods"),
        (PODS, ("a",), "/api/v1/namespaces/a/pods"),
        (PODS, ("a", "b"), "/api/v1/namespaces/a/pods/b"),
        (PODS, ("a", "b", "log"), "/api/v1/namespaces/a/pods/b/log"),
        (NETWORK_POLICIES, ("a", "b"), "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/b"),
        (Resource("stint.dev", "v1alpha1", "agentsessions"), (), "/apis/stint.dev/v1alpha1/agentsessions"),
    ],
)
def test_a_path_has_the_group_unless_it_is_the_core_one(resource: Resource, place: tuple[str, ...], path: str) -> None:
    assert resource.path(*place) == path
