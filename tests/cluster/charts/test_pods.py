"""What helm makes of the charts, read the way the API server would: pods, and what they are told."""

import json

import pytest

from cluster.charts.helm import Helm, Manifest, environment, named, of_kind, pod_templates
from stint.settings import Settings

# Pods


def test_every_pod_meets_pod_security_restricted(rendered: list[Manifest]) -> None:
    templates = list(pod_templates(rendered))
    assert len(templates) == 3
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
    assert [account["automountServiceAccountToken"] for account in accounts] == [False, False, False]
    pods = [template["spec"] for template in pod_templates(rendered)]
    assert {pod["serviceAccountName"] for pod in pods} == {"stint-controller", "stint-admission", "stint-release-finalizers"}
    assert all(pod["automountServiceAccountToken"] for pod in pods)


def test_two_controllers_are_probed_and_replaced_one_after_the_other(default: list[Manifest]) -> None:
    deployment = named(default, "Deployment", "stint-controller")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert container["args"] == ["controller"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]


def test_two_controllers_prefer_different_nodes_unless_the_user_says_where(default: list[Manifest], extreme: list[Manifest]) -> None:
    deployment = named(default, "Deployment", "stint-controller")
    [preferred] = deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert preferred["podAffinityTerm"]["labelSelector"] == deployment["spec"]["selector"]
    given = named(extreme, "Deployment", "stint-controller")["spec"]["template"]["spec"]["affinity"]
    assert given == {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}


@pytest.mark.parametrize(("replicas", "enabled", "there"), [(2, True, True), (1, True, False), (0, True, False), (2, False, False)])
def test_one_controller_at_a_time_may_be_evicted_if_there_are_several(helm: Helm, replicas: int, enabled: bool, there: bool) -> None:
    values = {"controller": {"replicas": replicas}, "podDisruptionBudget": {"enabled": enabled}}
    budgets = [one for one in of_kind(helm.template("stint", values), "PodDisruptionBudget") if one["metadata"]["name"] == "stint-controller"]
    assert [budget["spec"]["maxUnavailable"] for budget in budgets] == ([1] if there else [])


def test_admission_is_there_twice_is_probed_and_never_short_of_a_replica(default: list[Manifest]) -> None:
    spec = named(default, "Deployment", "stint-admission")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["template"]["spec"]["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"
    assert container["args"] == ["admission"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert named(default, "Service", "stint-admission")["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container["ports"]}
    given = {variable["name"] for variable in container["env"]}
    assert given == {"STINT_SYSTEM_NAMESPACE", "STINT_LOG_LEVEL", "STINT_DEFAULT_COST_LIMIT"}


@pytest.mark.parametrize("component", ["controller", "admission"])
def test_selectors_find_the_pods_whatever_labels_the_user_adds(rendered: list[Manifest], component: str) -> None:
    deployment = named(rendered, "Deployment", f"stint-{component}")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [deployment["spec"]["selector"]["matchLabels"], named(rendered, "Service", f"stint-{component}")["spec"]["selector"]]
    budgets = [budget for budget in of_kind(rendered, "PodDisruptionBudget") if budget["metadata"]["name"] == f"stint-{component}"]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in budgets]
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
