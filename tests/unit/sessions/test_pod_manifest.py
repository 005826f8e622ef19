"""The agent pod: its containers, paths, settings of the user's own, and how long it may live."""

from __future__ import annotations

from typing import Any

import pytest

from simulation.pod_status import Json, stamp
from stint.sessions.observed import Source
from unit.sessions.builders import NAME, NAMESPACE, SETTINGS, UID, ago, attempt, finished_status, observed, provider, session, status
from unit.sessions.kit import GIT, containers, expanded, mounts, the_pod, volume

SECRET: Json = {"secretKeyRef": {"name": "s", "key": "k"}}
MAP: Json = {"configMapKeyRef": {"name": "m", "key": "k"}}


def pod(spec: Json | None = None, before: Json | None = None, **around: Any) -> Json:
    return the_pod(observed(session(spec, status=before), **around))


def agent(spec: Json | None = None) -> Json:
    return containers(pod(spec))["agent"]


def env(spec: Json) -> dict[str, Json]:
    return {one["name"]: one for one in agent({"agent": spec}).get("env", ())}


# Who it is


def test_a_pod_says_whose_it_is() -> None:
    meta = pod()["metadata"]
    assert (meta["name"], meta["namespace"]) == (f"{NAME}-1", NAMESPACE)
    assert meta["labels"] == {
        "app.kubernetes.io/managed-by": "stint", "stint.dev/session": NAME, "stint.dev/session-uid": UID, "stint.dev/attempt": "1",
        "stint.dev/provider": "default",
    }  # fmt: skip
    assert meta["ownerReferences"] == [
        {"apiVersion": "stint.dev/v1alpha1", "kind": "AgentSession", "name": NAME, "uid": UID, "controller": True, "blockOwnerDeletion": True}
    ]
    assert meta["annotations"]["kubectl.kubernetes.io/default-container"] == "agent"


def test_labels_and_annotations_of_the_users_are_there_too() -> None:
    meta = pod({"podTemplate": {"labels": {"team": "a"}, "annotations": {"note": "x"}}})["metadata"]
    assert meta["labels"]["team"] == "a"
    assert meta["annotations"]["note"] == "x"


@pytest.mark.parametrize(
    "name",
    [
        "stint.dev/session-uid",
        "stint.dev/gateway",
        "stint.dev/of-tomorrow",
        "app.kubernetes.io/managed-by",
        "container.apparmor.security.beta.kubernetes.io/agent",
        "seccomp.security.alpha.kubernetes.io/pod",
    ],
)
@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_what_is_ours_or_would_open_the_sandbox_is_left_out_of_what_users_write(field: str, name: str) -> None:
    own = {name: "unconfined", "team": "a"}
    meta = pod({"podTemplate": {field: own}})["metadata"]
    assert meta[field]["team"] == "a"
    assert meta[field].get(name) == pod()["metadata"][field].get(name)


def test_the_next_attempt_has_the_next_number() -> None:
    meta = pod(before=status(history=[attempt(1, "Failed", "Overloaded")], nextRetryTime=stamp(ago(1))))["metadata"]
    assert (meta["name"], meta["labels"]["stint.dev/attempt"]) == (f"{NAME}-2", "2")


# Its containers


def test_the_gateway_is_a_native_sidecar_and_the_first() -> None:
    first = pod()["spec"]["initContainers"][0]
    assert (first["name"], first["restartPolicy"], first["image"], first["args"]) == ("gateway", "Always", "operator:1", ["gateway"])
    assert first["env"] == [{"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}]
    assert first["ports"] == [{"name": "report", "containerPort": 8788}]
    assert first["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 8788}


@pytest.mark.parametrize(
    ("spec", "source", "names"),
    [
        ({}, None, ["gateway"]),
        (GIT, None, ["gateway", "clone"]),
        ({"continueFrom": {"name": "earlier"}}, Source("e", True, False), ["gateway", "continue"]),
        ({**GIT, "continueFrom": {"name": "earlier"}}, Source("e", True, False), ["gateway", "continue", "clone"]),
    ],
)
def test_only_the_helpers_that_are_needed_run_before_the_agent(spec: Json, source: Source | None, names: list[str]) -> None:
    found = pod(spec, source=source)["spec"]
    assert [one["name"] for one in found["initContainers"]] == names
    assert [one["name"] for one in found["containers"]] == ["agent"]


def test_runner_and_helpers_are_one_image() -> None:
    found = containers(pod({**GIT, "continueFrom": {"name": "earlier"}}, source=Source("e", True, False)))
    assert {name: (one["image"], one["args"]) for name, one in found.items() if name != "gateway"} == {
        "continue": ("agent:1", ["continue"]), "clone": ("agent:1", ["clone"]), "agent": ("agent:1", ["run"]),
    }  # fmt: skip
    assert {one.get("terminationMessagePolicy", "File") for one in found.values()} == {"File"}, "a log is no last word"


def test_resources_are_the_operators_unless_the_user_has_his_own() -> None:
    assert agent()["resources"] == SETTINGS.agent_resources
    assert containers(pod())["gateway"]["resources"] == SETTINGS.gateway_resources
    own = {"podTemplate": {"resources": {"requests": {"cpu": 2}, "limits": {"memory": "4Gi"}}}}
    assert agent(own)["resources"] == {"requests": {"cpu": "2"}, "limits": {"memory": "4Gi"}}
    assert containers(pod(own))["gateway"]["resources"] == SETTINGS.gateway_resources


# Its paths

AGENT_MOUNTS = {
    "/workspace": ("state", "workspace"), "/var/lib/stint/claude": ("state", "claude"), "/tmp": ("scratch", "tmp"), "/home/agent": ("scratch", "home"),
    "/run/stint/run": ("run", None),
}  # fmt: skip


def paths(found: Json, name: str) -> dict[str, tuple[str, str | None]]:
    return {path: (one["name"], one.get("subPath")) for path, one in mounts(found, name).items()}


def test_the_agent_has_the_paths_of_the_contract() -> None:
    assert paths(pod(), "agent") == AGENT_MOUNTS
    assert paths(pod({"workspace": {"files": [{"path": "a", **MAP}]}}), "agent") == {**AGENT_MOUNTS, "/run/stint/inputs": ("inputs", None)}


def test_the_helpers_have_the_paths_of_the_contract() -> None:
    found = pod({**GIT, "continueFrom": {"name": "earlier"}}, source=Source("e", True, False))
    assert paths(found, "clone") == {"/workspace": ("state", "workspace"), "/tmp": ("scratch", "clone"), "/run/stint/run": ("run", None)}
    assert paths(found, "continue") == {
        "/workspace": ("state", "workspace"), "/var/lib/stint/claude": ("state", "claude"), "/tmp": ("scratch", "continue"),
        "/run/stint/source": ("source", None), "/run/stint/run": ("run", None),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["agent", "gateway", "clone", "continue"])
def test_every_mount_has_its_volume(name: str) -> None:
    found = pod({**GIT, "promptFrom": SECRET, "continueFrom": {"name": "earlier"}}, source=Source("e", True, False))
    assert {one["name"] for one in mounts(found, name).values()} <= {one["name"] for one in found["spec"]["volumes"]}


def test_state_is_on_the_sessions_volume_or_in_the_pod() -> None:
    assert volume(pod(), "state")["persistentVolumeClaim"] == {"claimName": f"{NAME}-{UID[:8]}"}
    assert volume(pod({"workspace": {"ephemeral": True}}), "state") == {"name": "state", "emptyDir": {}}


def test_the_sources_volume_carries_the_sources_uid() -> None:
    found = pod({"continueFrom": {"name": "earlier"}}, source=Source("e1e2e3e4-5", True, False))
    assert volume(found, "source")["persistentVolumeClaim"]["claimName"] == "earlier-e1e2e3e4"


@pytest.mark.parametrize(("name", "path"), [("run", "run.json"), ("gateway", "gateway.json")])
def test_documents_come_from_annotations(name: str, path: str) -> None:
    item = volume(pod(), name)["downwardAPI"]["items"][0]
    assert item == {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['stint.dev/{name}']"}}
    assert f"stint.dev/{name}" in pod()["metadata"]["annotations"]


def test_prompt_and_files_from_secrets_and_config_maps_are_projected() -> None:
    files = [{"path": "a", "content": "x"}, {"path": "b", **MAP}, {"path": "c", **SECRET}]
    found = volume(pod({"promptFrom": MAP, "workspace": {"files": files}}), "inputs")["projected"]
    assert found == {
        "defaultMode": 0o440,
        "sources": [
            {"configMap": {"name": "m", "items": [{"key": "k", "path": "prompt"}]}},
            {"configMap": {"name": "m", "items": [{"key": "k", "path": "files/1"}]}},
            {"secret": {"name": "s", "items": [{"key": "k", "path": "files/2"}]}},
        ],
    }


def test_inline_files_need_no_volume() -> None:
    found = pod({"workspace": {"files": [{"path": "a", "content": "x"}]}})
    assert "inputs" not in {one["name"] for one in found["spec"]["volumes"]}


# Its variables


@pytest.mark.parametrize("value", ["plain", "$(HOME)", "a$$b", "$$(HOME)", "$", "$$", "$$$", "${HOME}", "$(", ""])
def test_a_variable_arrives_as_it_was_written(value: str) -> None:
    assert expanded(env({"env": [{"name": "A", "value": value}]})["A"]["value"]) == value


@pytest.mark.parametrize("source", [SECRET, MAP])
def test_a_variable_may_come_from_elsewhere(source: Json) -> None:
    assert env({"env": [{"name": "A", "valueFrom": source}]})["A"] == {"name": "A", "valueFrom": source}


def test_secrets_of_mcp_servers_travel_under_names_of_their_own() -> None:
    servers = [
        {"name": "a", "type": "stdio", "command": "c", "env": [{"name": "X", "value": "1"}, {"name": "Y", "valueFrom": SECRET}]},
        {"name": "b", "type": "http", "url": "https://h", "headers": [{"name": "H", "valueFrom": MAP}]},
        {"name": "c", "type": "http", "url": "https://h"},
    ]
    assert env({"mcpServers": servers}) == {
        "STINT_MCP_0_1": {"name": "STINT_MCP_0_1", "valueFrom": SECRET}, "STINT_MCP_1_0": {"name": "STINT_MCP_1_0", "valueFrom": MAP},
    }  # fmt: skip


def test_variables_and_headers_of_one_server_do_not_share_a_name() -> None:
    item = session({"agent": {"mcpServers": [{"name": "a", "type": "stdio", "command": "c", "env": [{"name": "X", "valueFrom": SECRET}]}]}})
    item["spec"]["agent"]["mcpServers"][0]["headers"] = [{"name": "H", "valueFrom": MAP}]
    found = containers(the_pod(observed(item)))["agent"]["env"]
    assert [one["name"] for one in found] == ["STINT_MCP_0_0", "STINT_MCP_0_1"]


def test_whole_objects_may_be_variables() -> None:
    given = [{"prefix": "P_", "configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}}]
    assert agent({"podTemplate": {"envFrom": given}})["envFrom"] == given


def test_an_agent_without_variables_has_no_such_fields() -> None:
    assert not {"env", "envFrom"} & set(agent())


# What users may shape

TEMPLATE: Json = {
    "nodeSelector": {"disk": "ssd"}, "runtimeClassName": "gvisor", "serviceAccountName": "builder", "priorityClassName": "low",
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
}  # fmt: skip


@pytest.mark.parametrize("field", sorted(TEMPLATE))
def test_users_may_say_where_and_how_the_pod_runs(field: str) -> None:
    assert pod({"podTemplate": {field: TEMPLATE[field]}})["spec"][field] == TEMPLATE[field]
    assert field not in pod()["spec"]


def test_images_are_pulled_with_the_operators_secrets_and_the_users() -> None:
    settings = SETTINGS.model_copy(update={"image_pull_secrets": ["ours"]})
    found = pod({"podTemplate": {"imagePullSecrets": [{"name": "mine"}]}}, settings=settings)
    assert found["spec"]["imagePullSecrets"] == [{"name": "ours"}, {"name": "mine"}]
    assert "imagePullSecrets" not in pod()["spec"]


def test_a_pod_leaves_a_node_that_does_not_answer_after_a_minute() -> None:
    mine = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    found = pod({"podTemplate": {"tolerations": [mine]}})["spec"]["tolerations"]
    assert found == [
        {"key": f"node.kubernetes.io/{taint}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60} for taint in ("not-ready", "unreachable")
    ] + [mine]  # fmt: skip


# How long it lives


def test_a_pod_is_never_restarted_and_has_half_a_minute_to_end() -> None:
    found = pod()["spec"]
    assert (found["restartPolicy"], found["terminationGracePeriodSeconds"]) == ("Never", 30)


@pytest.mark.parametrize(
    ("limits", "active", "seconds"), [({}, 0, 3600 + 300 + 60), ({"timeout": "10m", "startTimeout": "1m"}, 540, 60 + 60 + 60)]
)
def test_kubelet_ends_a_pod_whose_runner_cannot_keep_the_time(limits: Json, active: int, seconds: int) -> None:
    before = status(history=[attempt(1, "Disrupted", "Evicted")], activeSeconds=active)
    assert pod({"limits": limits}, before)["spec"]["activeDeadlineSeconds"] == seconds


def test_kubelet_gives_a_run_that_begins_again_all_its_time() -> None:
    before = finished_status(activeSeconds=3600)
    assert pod({"retryRequest": stamp(ago(1))}, before)["spec"]["activeDeadlineSeconds"] == 3600 + 300 + 60


def test_a_pod_never_has_less_than_a_second() -> None:
    before = status(history=[attempt(1, "Disrupted", "Evicted")], activeSeconds=4000)
    assert pod(before=before)["spec"]["activeDeadlineSeconds"] == 1 + 300 + 60


def test_the_pod_carries_its_providers_name_for_the_network_policy() -> None:
    found = pod({"providerRef": {"name": "other"}}, provider=provider(name="other"))
    assert found["metadata"]["labels"]["stint.dev/provider"] == "other"
