"""What helm makes of the charts, read the way the API server would: what stays and goes with the release, what is refused, and what the user is told."""

import base64
import gzip
import json
from typing import Any

import pytest
import yaml

from cluster.charts.helm import CHARTS, KEEP, NAMESPACE, Helm, Manifest, environment, is_hook, named, of_kind
from cluster.charts.values import BARE

# CRDs


def test_crds_are_installed_as_generated_and_kept(default: list[Manifest]) -> None:
    generated = [yaml.safe_load(path.read_text()) for path in sorted((CHARTS.parent / "crds").glob("*.yaml"))]
    crds = of_kind(default, "CustomResourceDefinition")

    assert generated
    assert {crd["metadata"]["name"]: crd["spec"] for crd in crds} == {crd["metadata"]["name"]: crd["spec"] for crd in generated}
    assert all(crd["metadata"]["annotations"][KEEP] == "keep" for crd in crds)
    assert all(crd["metadata"]["labels"]["app.kubernetes.io/part-of"] == "stint" for crd in crds)


def test_crds_go_with_the_release_when_asked(extreme: list[Manifest]) -> None:
    assert all(KEEP not in crd["metadata"].get("annotations", {}) for crd in of_kind(extreme, "CustomResourceDefinition"))


def test_nothing_else_outlives_the_release(default: list[Manifest]) -> None:
    kept = {manifest["kind"] for manifest in default if KEEP in manifest["metadata"].get("annotations", {})}
    assert kept == {"CustomResourceDefinition"}


def test_a_release_with_its_crds_fits_into_one_secret(default: list[Manifest]) -> None:
    """Helm keeps a release, chart files included, in one Secret of at most 1 MiB, compressed; half of that is left for growth."""
    files = [path.read_bytes() for path in sorted((CHARTS / "stint").rglob("*")) if path.is_file()]
    whole = b"".join(base64.b64encode(content) for content in files) + yaml.safe_dump_all(default).encode()
    assert len(base64.b64encode(gzip.compress(whole))) < 512 * 1024


# Uninstalling


def test_finalizers_are_released_before_anything_is_deleted(rendered: list[Manifest]) -> None:
    hooks = [manifest for manifest in rendered if is_hook(manifest)]
    weights = {manifest["kind"]: int(manifest["metadata"]["annotations"]["helm.sh/hook-weight"]) for manifest in hooks}

    assert {manifest["metadata"]["name"] for manifest in hooks} == {"stint-release-finalizers"}
    assert set(weights) == {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Job"}
    assert max(weights, key=lambda kind: weights[kind]) == "Job"
    for manifest in hooks:
        annotations = manifest["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-delete"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    (container,) = named(hooks, "Job", "stint-release-finalizers")["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["release-finalizers"]


# Switches


def test_everything_optional_can_be_switched_off(helm: Helm) -> None:
    bare = helm.template("stint", BARE)
    kinds = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in bare}
    left = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Deployment")
    assert kinds == {(kind, "stint-controller") for kind in left}
    assert json.loads(environment(bare)["STINT_NETWORK_POLICY"])["enabled"] is False


def test_every_object_is_labelled_and_lands_in_the_release_namespace(rendered: list[Manifest]) -> None:
    cluster_wide = {
        "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    }  # fmt: skip
    for manifest in rendered:
        meta = manifest["metadata"]
        assert meta["labels"]["app.kubernetes.io/part-of"] == "stint", meta["name"]
        assert meta.get("namespace") == (None if manifest["kind"] in cluster_wide else NAMESPACE), meta["name"]


# Refusals


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"image": {"tag": "1"}}, "additional properties 'image' not allowed"),
        ({"controller": {"replicas": 6}}, "at '/controller/replicas': maximum: got 6, want 5"),
        ({"controller": {"logLevel": "verbose"}}, "at '/controller/logLevel': value must be one of"),
        ({"images": {"agent": {"tag": 2}}}, "at '/images/agent/tag': got number, want string"),
        ({"images": {"pullPolicy": "always"}}, "at '/images/pullPolicy': value must be one of"),
        ({"sessions": {"defaultLimits": {"cost": 5}}}, "at '/sessions/defaultLimits/cost': got number, want string"),
        ({"networkPolicy": {"sessions": {"blockedCIDRs": ["everything"]}}}, "at '/networkPolicy/sessions/blockedCIDRs/0'"),
    ],
)
def test_a_bad_value_is_refused_with_its_path(helm: Helm, values: dict[str, Any], says: str) -> None:
    assert says in helm.refusal("stint", values)


def test_a_variable_that_the_chart_sets_is_refused(helm: Helm) -> None:
    """Kubernetes takes two variables of one name, but no upgrade can patch them afterwards."""
    values = {"controller": {"extraEnv": [{"name": "STINT_WORKERS", "value": "1"}]}}
    assert "controller.extraEnv: STINT_WORKERS is set by this chart from other values" in helm.refusal("stint", values)


@pytest.mark.parametrize("chart", ["stint", "stint-library"])
def test_helm_finds_nothing_to_complain_about(helm: Helm, chart: str) -> None:
    done = helm.run("lint", "--strict", str(CHARTS / chart))
    assert done.returncode == 0, done.stdout + done.stderr


# Notes


def test_the_notes_lead_from_the_secret_to_the_first_session(helm: Helm) -> None:
    notes = helm.notes("stint")
    steps = ("charts/stint-library", "create secret generic anthropic --from-file=api-key=", "kind: AgentSession", "docs/install.md")
    positions = [notes.index(step) for step in steps]
    assert positions == sorted(positions)
    assert "localhost/stint/agent" in notes


def test_the_notes_warn_of_what_is_switched_off(helm: Helm) -> None:
    notes = helm.notes("stint", {**BARE, "crds": {"keep": False}, "controller": {"replicas": 0}})
    assert "networkPolicy.sessions.enabled is false" in notes
    assert "crds.keep is false" in notes
    assert "Stint is paused" in notes
