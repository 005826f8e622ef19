"""What helm makes of the charts: rendered with the shipped values and with extreme ones, and read the way the API server would.

Needs helm, but no cluster. The rest of the charts' tests (tests/unit/charts) need neither.
"""

import base64
import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.paths import cache_root
from stint.settings import Settings

CHARTS = Path(__file__).parents[2] / "charts"
NAMESPACE = "stint-system"
KUBERNETES = "1.36.0"
KEEP = "helm.sh/resource-policy"

Manifest = dict[str, Any]

EXTREME: dict[str, Any] = {
    "images": {
        "operator": {"repository": "registry.example:5000/team/stint-operator", "digest": "sha256:" + "a" * 64},
        "agent": {"repository": "registry.example:5000/team/stint-agent", "tag": "2.1.329"},
        "pullPolicy": "Always",
        "pullSecrets": [{"name": "registry"}],
    },
    "crds": {"keep": False},
    "sessions": {
        "defaultLimits": {"cost": "0.01"},
        "imagePullSecrets": ["registry"],
        "unreachableTolerationSeconds": 0,
        "resources": {"agent": {"requests": {"cpu": "2"}, "limits": {"memory": "4Gi", "example.com/gpu": 1}}, "gateway": {}},
    },
    "controller": {
        "replicas": 0,
        "workers": 256,
        "logLevel": "debug",
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "control-plane", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        "podLabels": {"team": "platform", "app.kubernetes.io/name": "something-else"},
        "podAnnotations": {"example.com/note": "true"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    },
    "serviceAccount": {"annotations": {"example.com/role": "stint"}},
    "service": {"annotations": {"prometheus.io/scrape": "true"}},
    "podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"},
    "networkPolicy": {
        "dnsPorts": [1053],
        "sessions": {"blockedCIDRs": [], "extraEgress": [{"ports": [{"port": 9418}]}]},
        "controller": {
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": {
                "apiServer": {"cidrs": ["192.0.2.1/32"], "ports": [8443]},
                "dnsPeers": [{"ipBlock": {"cidr": "169.254.20.10/32"}}],
                "extra": [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}],
            },
        },
    },
}
BARE: dict[str, Any] = {
    "crds": {"install": False},
    "rbac": {"aggregatedRoles": False},
    "service": {"enabled": False},
    "uninstall": {"releaseFinalizers": False},
    "networkPolicy": {"sessions": {"enabled": False}, "controller": {"enabled": False}},
}


def find_helm() -> str:
    """HELM, the PATH, or what the embedded cluster has built. Never skipped: a chart that nobody renders is broken sooner or later."""
    built = sorted((cache_root() / "bin").glob("all-*/helm"), key=lambda path: path.lstat().st_mtime)
    for candidate in (os.environ.get("HELM"), shutil.which("helm"), str(built[-1]) if built else None):
        if candidate:
            return candidate
    pytest.fail("no helm found: set HELM to its path, put it into PATH, or run `make demo`, which builds it for the embedded cluster")


class Helm:
    """`helm template` with folders of its own, so that no plug-in or repository of the user's plays a part."""

    def __init__(self, folder: Path) -> None:
        self._program = find_helm()
        self._folder = folder
        homes = {f"HELM_{name}_HOME": str(folder / name) for name in ("CACHE", "CONFIG", "DATA")}
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": str(folder / "none"), **homes}

    def run(self, *arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        given = self._folder / "values.json"
        given.write_text(json.dumps(values or {}))
        command = [self._program, *arguments, "--namespace", NAMESPACE, "--kube-version", KUBERNETES, "--values", str(given)]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120, check=False)

    def template(self, chart: str, values: dict[str, Any] | None = None) -> list[Manifest]:
        done = self.run("template", chart, str(CHARTS / chart), values=values)
        assert done.returncode == 0, done.stderr
        return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]

    def refusal(self, chart: str, values: dict[str, Any]) -> str:
        done = self.run("template", chart, str(CHARTS / chart), values=values)
        assert done.returncode != 0, "these values were accepted"
        return done.stderr

    def notes(self, chart: str, values: dict[str, Any] | None = None) -> str:
        """NOTES.txt, which `helm template` leaves out, wrapped into an object of a copy of the chart."""
        copy = self._folder / "notes" / chart
        shutil.copytree(CHARTS / chart, copy, dirs_exist_ok=True)
        text = (copy / "templates" / "NOTES.txt").read_text()
        (copy / "templates" / "_notes.tpl").write_text('{{ define "notes" }}' + text + "{{ end }}")
        (copy / "templates" / "notes.yaml").write_text('notes: {{ include "notes" . | toJson }}\n')
        done = self.run("template", chart, str(copy), "--show-only", "templates/notes.yaml", values=values)
        assert done.returncode == 0, done.stderr
        found: str = yaml.safe_load(done.stdout)["notes"]
        return found


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


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name]
    return found


def is_hook(manifest: Manifest) -> bool:
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})


def pod_templates(manifests: list[Manifest]) -> Iterator[Manifest]:
    for manifest in manifests:
        if manifest["kind"] in ("Deployment", "Job", "DaemonSet", "StatefulSet", "CronJob"):
            yield manifest["spec"]["template"]


def environment(manifests: list[Manifest]) -> dict[str, str]:
    (container,) = named(manifests, "Deployment", "stint-controller")["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}


# Pods


def test_every_pod_meets_pod_security_restricted(rendered: list[Manifest]) -> None:
    templates = list(pod_templates(rendered))
    assert len(templates) == 2
    for template in templates:
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(pod)
        assert all(set(volume) - {"name"} == {"emptyDir"} for volume in pod["volumes"])
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}


def test_only_the_pods_that_talk_to_the_api_ask_for_a_token(rendered: list[Manifest]) -> None:
    accounts = of_kind(rendered, "ServiceAccount")
    assert [account["automountServiceAccountToken"] for account in accounts] == [False, False]
    pods = [template["spec"] for template in pod_templates(rendered)]
    assert {pod["serviceAccountName"] for pod in pods} == {"stint-controller", "stint-release-finalizers"}
    assert all(pod["automountServiceAccountToken"] for pod in pods)


def test_the_controller_is_probed_and_replaced_not_doubled(default: list[Manifest]) -> None:
    deployment = named(default, "Deployment", "stint-controller")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert container["args"] == ["controller"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]


def test_selectors_find_the_controller_whatever_labels_the_user_adds(rendered: list[Manifest]) -> None:
    deployment = named(rendered, "Deployment", "stint-controller")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [deployment["spec"]["selector"]["matchLabels"], named(rendered, "Service", "stint-controller")["spec"]["selector"]]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in of_kind(rendered, "PodDisruptionBudget")]
    for selector in selectors:
        assert selector.items() <= labels.items()


# Settings


def test_the_operator_reads_every_setting(rendered: list[Manifest], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(rendered).items():
        monkeypatch.setenv(name, value)
    settings = Settings()

    labels = named(rendered, "Deployment", "stint-controller")["spec"]["template"]["metadata"]["labels"]
    policy = json.loads(environment(rendered)["STINT_NETWORK_POLICY"])
    assert settings.network_policy.model_dump(by_alias=True) == policy
    assert settings.network_policy.controller_selector.items() <= labels.items()
    assert settings.agent_image != settings.gateway_image
    assert settings.log_level in ("INFO", "DEBUG")


def test_the_shipped_values_reach_the_operator(default: list[Manifest]) -> None:
    given = environment(default)
    policy = json.loads(given["STINT_NETWORK_POLICY"])

    assert given["STINT_AGENT_IMAGE"] == "localhost/stint/agent:0.1.0"
    assert given["STINT_GATEWAY_IMAGE"] == "localhost/stint/operator:0.1.0"
    assert given["STINT_DEFAULT_COST_LIMIT"] == "5.00"
    assert given["STINT_UNREACHABLE_TOLERATION_SECONDS"] == "60"
    assert policy["enabled"] is True
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"} <= set(policy["blockedCIDRs"])


def test_the_system_namespace_is_where_the_pod_runs(default: list[Manifest]) -> None:
    (container,) = named(default, "Deployment", "stint-controller")["spec"]["template"]["spec"]["containers"]
    (variable,) = [variable for variable in container["env"] if variable["name"] == "STINT_SYSTEM_NAMESPACE"]
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


def test_a_digest_wins_over_the_tag(extreme: list[Manifest]) -> None:
    given = environment(extreme)
    assert given["STINT_GATEWAY_IMAGE"] == "registry.example:5000/team/stint-operator@sha256:" + "a" * 64
    assert given["STINT_AGENT_IMAGE"] == "registry.example:5000/team/stint-agent:2.1.329"
    assert given["HTTPS_PROXY"] == "http://proxy:3128"
    assert json.loads(given["STINT_IMAGE_PULL_SECRETS"]) == ["registry"]


# Permissions


def test_permissions_are_bound_to_their_own_accounts_only(rendered: list[Manifest]) -> None:
    for binding in of_kind(rendered, "ClusterRoleBinding"):
        name = binding["metadata"]["name"]
        assert binding["roleRef"]["name"] == name
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}]


def test_no_permission_is_a_wildcard_lists_secrets_or_enters_pods(rendered: list[Manifest]) -> None:
    for role in (*of_kind(rendered, "ClusterRole"), *of_kind(rendered, "Role")):
        for rule in role["rules"]:
            words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert "*" not in words
            assert not words & {"pods/exec", "pods/attach", "pods/ephemeralcontainers", "nodes", "escalate", "bind", "impersonate"}
            if "secrets" in rule["resources"]:
                assert rule["verbs"] == ["get"]


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_stints_kinds_are_part_of_the_clusters_own_roles(default: list[Manifest], role: str) -> None:
    labels = named(default, "ClusterRole", f"stint-{role}")["metadata"]["labels"]
    assert labels[f"rbac.authorization.k8s.io/aggregate-to-{role}"] == "true"


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


# Network


def test_the_controller_answers_probes_and_metrics_and_calls_nobody_but_whom_it_must(default: list[Manifest]) -> None:
    policy = named(default, "NetworkPolicy", "stint-controller")["spec"]
    ports = {(port["protocol"], port["port"]) for rule in policy["egress"] for port in rule["ports"]}

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8080}]}]
    dns = {(protocol, port) for protocol in ("UDP", "TCP") for port in (53, 5353)}
    assert ports == {("TCP", 443), ("TCP", 6443), *dns, ("TCP", 8788)}


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


# Switches


def test_everything_optional_can_be_switched_off(helm: Helm) -> None:
    bare = helm.template("stint", BARE)
    kinds = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in bare}
    assert kinds == {(kind, "stint-controller") for kind in ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Deployment")}
    assert json.loads(environment(bare)["STINT_NETWORK_POLICY"])["enabled"] is False


def test_every_object_is_labelled_and_lands_in_the_release_namespace(rendered: list[Manifest]) -> None:
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for manifest in rendered:
        meta = manifest["metadata"]
        assert meta["labels"]["app.kubernetes.io/part-of"] == "stint", meta["name"]
        assert meta.get("namespace") == (None if manifest["kind"] in cluster_wide else NAMESPACE), meta["name"]


# Refusals


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"image": {"tag": "1"}}, "additional properties 'image' not allowed"),
        ({"controller": {"replicas": 2}}, "at '/controller/replicas': maximum: got 2, want 1"),
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


# The library


def test_the_library_serves_the_cluster_with_a_provider_and_profiles(helm: Helm) -> None:
    manifests = helm.template("stint-library")
    provider = named(manifests, "ModelProvider", "default")["spec"]

    assert {manifest["metadata"]["namespace"] for manifest in manifests} == {NAMESPACE}
    assert {profile["metadata"]["name"] for profile in of_kind(manifests, "AgentProfile")} == {"bug-fixer", "pr-reviewer", "code-task"}
    assert provider["credential"] == {"type": "APIKey", "secretRef": {"name": "anthropic", "key": "api-key"}}
    assert provider["prices"] == []


def test_each_object_of_the_library_can_be_left_out_or_changed(helm: Helm) -> None:
    manifests = helm.template(
        "stint-library",
        {
            "provider": {"enabled": False},
            "profiles": {"bug-fixer": {"enabled": False}, "code-task": {"spec": {"limits": {"cost": "3.00"}}}},
        },
    )
    assert {manifest["metadata"]["name"] for manifest in manifests} == {"pr-reviewer", "code-task"}
    assert named(manifests, "AgentProfile", "code-task")["spec"]["limits"] == {"cost": "3.00", "timeout": "2h"}


def test_prices_can_be_added(helm: Helm) -> None:
    own = {"input": "1", "output": "2", "cacheRead": "0", "cacheWrite5m": "1", "cacheWrite1h": "1"}
    manifests = helm.template("stint-library", {"provider": {"prices": {"our.model/v2": own, "claude-opus-5-5": None}}})
    prices = {price["model"]: price for price in named(manifests, "ModelProvider", "default")["spec"]["prices"]}
    assert prices["our.model/v2"] == {"model": "our.model/v2", **own}
    assert "claude-opus-5-5" not in prices


def test_the_notes_of_the_library_name_the_secret_that_teams_bring(helm: Helm) -> None:
    notes = helm.notes("stint-library", {"provider": {"credential": {"secret": {"name": "team-key", "key": "token"}}}})
    assert "create secret generic team-key --from-file=token=" in notes
