"""What must never be true of an agent pod: the rules of Pod Security `restricted`, and who can reach the credential, the meter and the limits."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from simulation.pod_status import Json
from stint.sessions.observed import Observed, Source
from unit.sessions.builders import observed, provider, session
from unit.sessions.kit import containers, mounts, the_pod, violations, volume

SECRET: Json = {"secretKeyRef": {"name": "s", "key": "k"}}
GIT: Json = {"url": "https://h/x", "secretRef": {"name": "git-token"}}
EVERYTHING: Json = {
    "promptFrom": SECRET,
    "continueFrom": {"name": "earlier", "workspace": True},
    "workspace": {"git": GIT, "files": [{"path": "a", **SECRET}, {"path": "b", "content": "x"}]},
    "agent": {
        "env": [{"name": "A", "valueFrom": SECRET}],
        "mcpServers": [{"name": "m", "type": "stdio", "command": "c", "env": [{"name": "T", "valueFrom": SECRET}]}],
    },
    "podTemplate": {
        "labels": {"team": "a"}, "annotations": {"note": "x"}, "serviceAccountName": "builder", "runtimeClassName": "gvisor",
        "envFrom": [{"secretRef": {"name": "s"}}], "resources": {"limits": {"cpu": 2, "memory": "2Gi"}}, "tolerations": [{"operator": "Exists"}],
    },
}  # fmt: skip


def everything() -> Observed:
    item = session(EVERYTHING)
    del item["spec"]["prompt"]
    return observed(item, source=Source("uid-of-earlier", over=True, ephemeral=False))


PODS: list[Any] = [
    pytest.param(observed(), id="an ordinary one"),
    pytest.param(observed(session({"workspace": {"ephemeral": True}})), id="an ephemeral one"),
    pytest.param(everything(), id="one with everything"),
]
GATEWAYS_OWN = {"credential", "gateway"}


@pytest.mark.parametrize("seen", PODS)
def test_the_pod_is_admitted_under_restricted_without_exemption(seen: Observed) -> None:
    assert violations(the_pod(seen)) == []


def _changed(path: list[str | int], value: object) -> Json:
    pod = copy.deepcopy(the_pod(observed()))
    at: Any = pod
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return pod


AGENT: list[str | int] = ["spec", "containers", 0, "securityContext"]
FORBIDDEN: list[Any] = [
    pytest.param(["spec", "hostNetwork"], True, id="host network"),
    pytest.param(["spec", "volumes", 1], {"name": "scratch", "hostPath": {"path": "/"}}, id="host path"),
    pytest.param([*AGENT, "allowPrivilegeEscalation"], True, id="privilege escalation"),
    pytest.param([*AGENT, "capabilities"], {"drop": ["NET_RAW"]}, id="capabilities kept"),
    pytest.param([*AGENT, "capabilities"], {"drop": ["ALL"], "add": ["SYS_ADMIN"]}, id="capabilities added"),
    pytest.param([*AGENT, "runAsNonRoot"], False, id="may be root"),
    pytest.param([*AGENT, "runAsUser"], 0, id="is root"),
    pytest.param([*AGENT, "seccompProfile"], {"type": "Unconfined"}, id="no seccomp"),
    pytest.param([*AGENT, "privileged"], True, id="privileged"),
    pytest.param(["spec", "initContainers", 0, "ports", 0, "hostPort"], 80, id="host port of the gateway"),
]


@pytest.mark.parametrize(("path", "value"), FORBIDDEN)
def test_the_checker_itself_notices_what_is_forbidden(path: list[str | int], value: object) -> None:
    assert violations(_changed(path, value))


@pytest.mark.parametrize("seen", PODS)
def test_nothing_in_the_pod_can_write_to_its_root_or_talk_to_the_api_server(seen: Observed) -> None:
    pod = the_pod(seen)
    assert all(one["securityContext"]["readOnlyRootFilesystem"] is True for one in containers(pod).values())
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["enableServiceLinks"] is False
    assert not [one for one in pod["spec"]["volumes"] if "serviceAccountToken" in json.dumps(one)]


@pytest.mark.parametrize("seen", PODS)
def test_agent_and_gateway_are_different_users(seen: Observed) -> None:
    users = {name: one["securityContext"]["runAsUser"] for name, one in containers(the_pod(seen)).items()}
    assert users.pop("gateway") == 10002
    assert set(users.values()) == {10001}


@pytest.mark.parametrize("seen", PODS)
def test_no_container_but_the_gateway_mounts_credential_config_or_journal(seen: Observed) -> None:
    pod = the_pod(seen)
    for name in containers(pod):
        if name == "gateway":
            continue
        for path, mount in mounts(pod, name).items():
            assert mount["name"] not in GATEWAYS_OWN, f"{name} mounts {mount['name']} at {path}"
            assert mount["name"] != "state" or mount.get("subPath") in ("workspace", "claude"), f"{name} mounts the whole volume at {path}"


@pytest.mark.parametrize("seen", PODS)
def test_the_gateway_mounts_nothing_of_the_agents(seen: Observed) -> None:
    found = mounts(the_pod(seen), "gateway")
    assert {path: (one["name"], one.get("subPath"), one.get("readOnly", False)) for path, one in found.items()} == {
        "/var/lib/stint/meter": ("state", "meter", False),
        "/run/stint/gateway": ("gateway", None, True),
        "/run/stint/credential": ("credential", None, True),
    }


@pytest.mark.parametrize("seen", PODS)
def test_the_credential_is_in_no_environment_and_in_one_volume_only(seen: Observed) -> None:
    pod = the_pod(seen)
    assert [one["name"] for one in pod["spec"]["volumes"] if "anthropic" in json.dumps(one)] == ["credential"]
    assert "anthropic" not in json.dumps([[one.get("env"), one.get("envFrom")] for one in containers(pod).values()])
    assert volume(pod, "credential")["secret"] == {
        "secretName": "anthropic", "defaultMode": 0o440, "items": [{"key": "api-key", "path": "credential"}],
    }  # fmt: skip


def test_the_repositorys_secret_is_mounted_by_the_clone_only() -> None:
    pod = the_pod(everything())
    assert [name for name in containers(pod) if "/run/stint/git" in mounts(pod, name)] == ["clone"]
    assert volume(pod, "git")["secret"] == {"secretName": "git-token", "defaultMode": 0o440}


def test_the_session_that_is_continued_is_mounted_read_only_by_the_copy_only() -> None:
    """As a whole: the kubelet cannot make a subPath that is missing on a volume that is read-only, and the pod would never start."""
    pod = the_pod(everything())
    assert [name for name in containers(pod) if any(path.startswith("/run/stint/source") for path in mounts(pod, name))] == ["continue"]
    [mount] = [one for path, one in mounts(pod, "continue").items() if path.startswith("/run/stint/source")]
    assert mount["readOnly"] is True
    assert "subPath" not in mount
    assert volume(pod, "source")["persistentVolumeClaim"]["readOnly"] is True


def test_a_user_cannot_pass_for_stint_in_labels_or_annotations() -> None:
    template = {"labels": {"team": "a"}, "annotations": {"note": "x"}}
    item = session({"podTemplate": template})
    forged = {"stint.dev/provider": "other", "stint.dev/session": "x", "stint.dev/made-up": "x", "app.kubernetes.io/managed-by": "me"}
    item["spec"]["podTemplate"]["labels"] |= forged
    item["spec"]["podTemplate"]["annotations"] |= {"stint.dev/run": "{}", "stint.dev/gateway": "{}", "stint.dev/reserved": "{}", "stint.dev/made-up": "x"}
    plain, found = the_pod(observed(session({"podTemplate": template})))["metadata"], the_pod(observed(item))["metadata"]
    assert found["labels"] == plain["labels"]
    assert found["annotations"] == plain["annotations"]


def test_the_providers_own_secret_is_the_one_that_is_mounted() -> None:
    seen = observed(provider=provider({"credential": {"secretRef": {"name": "mine", "key": "token"}}}))
    assert volume(the_pod(seen), "credential")["secret"]["items"] == [{"key": "token", "path": "credential"}]
