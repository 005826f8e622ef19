"""The agent pod: Pod Security `restricted` with no exemption, no API token, and the credential where the agent cannot reach it."""

from __future__ import annotations

from typing import Any

from stint.api.env import EnvVar
from stint.engine.plan import Manifest
from stint.sessions.names import (
    ATTEMPT_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    RESERVED_ANNOTATION,
    SESSION_LABEL,
    SESSION_UID_LABEL,
    pod_name,
)
from stint.sessions.observed import Observed
from stint.sessions.pod import volumes
from stint.sessions.pod.gateway_config import gateway_config, reserved
from stint.sessions.pod.network import PROVIDER_LABEL, REPORT_PORT
from stint.sessions.pod.owner import owner_reference
from stint.sessions.pod.run_description import GRACE_SECONDS, run_description, variables
from stint.sessions.pod_facts import AGENT, CLONE, CONTINUE, GATEWAY

AGENT_USER, GATEWAY_USER = 10001, 10002
KEPT_FOR_STINT = ("stint.dev/", MANAGED_BY_LABEL, "container.apparmor.security.beta.kubernetes.io/", "seccomp.security.alpha.kubernetes.io/")
"""Labels and annotations that users do not set: ours, and those that could take the pod out of its sandbox."""
NODE_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
HARDENED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
"""What Pod Security asks of each container; the rest stands at the pod, once: every field makes every event of the pod larger."""

__all__ = ["GRACE_SECONDS", "agent_pod"]


def agent_pod(seen: Observed) -> Manifest:
    """The pod of the next attempt."""
    attempt = seen.settled + 1
    assert seen.resolved is not None
    template = seen.resolved.pod_template
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": seen.namespace,
            "name": pod_name(seen.name, attempt),
            "labels": {**_ours_left_out(template.labels), **_labels(seen, attempt)},
            "annotations": {
                **_ours_left_out(template.annotations),
                "kubectl.kubernetes.io/default-container": AGENT,
                "stint.dev/run": run_description(seen, attempt),
                "stint.dev/gateway": gateway_config(seen, attempt),
                RESERVED_ANNOTATION: reserved(seen),
            },
            "ownerReferences": [owner_reference(seen)],
        },
        "spec": _spec(seen),
    }


def _spec(seen: Observed) -> dict[str, Any]:
    assert seen.resolved is not None
    template, settings = seen.resolved.pod_template, seen.settings
    left = max(1.0, seen.resolved.timeout - seen.active_seconds)
    pull_secrets = [*({"name": name} for name in settings.image_pull_secrets), *(one.dump() for one in template.image_pull_secrets or ())]
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        # The runner keeps the time; this is for the case that it cannot.
        "activeDeadlineSeconds": int(left + seen.resolved.start_timeout) + 2 * GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": AGENT_USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": _init_containers(seen),
        "containers": [_agent(seen)],
        "volumes": volumes.volumes(seen),
        "tolerations": [
            *(_tolerated(taint, settings.unreachable_toleration_seconds) for taint in NODE_TAINTS),
            *(toleration.dump() for toleration in template.tolerations or ()),
        ],
        "imagePullSecrets": pull_secrets,
        "nodeSelector": template.node_selector,
        "affinity": template.affinity.dump() if template.affinity else None,
        "topologySpreadConstraints": [one.dump() for one in template.topology_spread_constraints or ()],
        "runtimeClassName": template.runtime_class_name,
        "serviceAccountName": template.service_account_name,
        "priorityClassName": template.priority_class_name,
    }
    return {name: value for name, value in spec.items() if value not in (None, [])}


def _init_containers(seen: Observed) -> list[dict[str, Any]]:
    assert seen.resolved is not None
    containers = [_gateway(seen)]
    if seen.source is not None:
        containers.append(_helper(seen, CONTINUE, volumes.continue_mounts()))
    if seen.resolved.workspace.git is not None:
        containers.append(_helper(seen, CLONE, volumes.clone_mounts(seen)))
    return containers


def _agent(seen: Observed) -> dict[str, Any]:
    assert seen.resolved is not None
    template = seen.resolved.pod_template
    container = {
        **_container(seen, AGENT, seen.settings.agent_image, AGENT_USER),
        "args": ["run"],
        "env": _environment(seen),
        "envFrom": [group.dump() for group in template.env_from or ()],
        "resources": template.resources.dump() if template.resources else seen.settings.agent_resources,
        "volumeMounts": volumes.agent_mounts(seen),
    }
    return {name: value for name, value in container.items() if value}


def _gateway(seen: Observed) -> dict[str, Any]:
    return {
        **_container(seen, GATEWAY, seen.settings.gateway_image, GATEWAY_USER),
        "args": ["gateway"],
        "restartPolicy": "Always",
        "env": [{"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}],
        "ports": [{"name": "report", "containerPort": REPORT_PORT}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": REPORT_PORT}, "initialDelaySeconds": 2, "periodSeconds": 5, "failureThreshold": 1},
        "resources": seen.settings.gateway_resources,
        "volumeMounts": volumes.gateway_mounts(),
    }


def _helper(seen: Observed, name: str, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **_container(seen, name, seen.settings.agent_image, AGENT_USER),
        "args": [name],
        "resources": seen.settings.agent_resources,
        "volumeMounts": mounts,
    }


def _container(seen: Observed, name: str, image: str, user: int) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": seen.settings.image_pull_policy,
        "securityContext": {**HARDENED, "runAsUser": user, "runAsGroup": user},
    }


def _environment(seen: Observed) -> list[dict[str, Any]]:
    """The user's variables, then those that carry secret values to MCP servers."""
    assert seen.resolved is not None
    agent = seen.resolved.agent
    found = [_variable(item.name, item) for item in agent.env or ()]
    for index, server in enumerate(agent.mcp_servers or ()):
        env, headers = server.env or [], server.headers or []
        names = [*variables(index, env), *variables(index, headers, len(env))]
        sources = [item.value_from for item in env] + [item.value_from for item in headers]
        found += [{"name": name, "valueFrom": source.dump()} for name, source in zip(names, sources, strict=True) if source]
    return found


def _variable(name: str, item: EnvVar) -> dict[str, Any]:
    if item.value_from is not None:
        return {"name": name, "valueFrom": item.value_from.dump()}
    # Kubernetes expands $(NAME) in values and halves $$; a user who writes either means the text.
    return {"name": name, "value": (item.value or "").replace("$", "$$")}


def _tolerated(taint: str, seconds: int) -> dict[str, Any]:
    """How long the pod stays bound to a node that does not answer."""
    return {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}


def _labels(seen: Observed, attempt: int) -> dict[str, str]:
    assert seen.provider is not None
    return {
        MANAGED_BY_LABEL: MANAGED_BY,
        SESSION_LABEL: seen.name,
        SESSION_UID_LABEL: seen.uid,
        ATTEMPT_LABEL: str(attempt),
        PROVIDER_LABEL: seen.provider.name[:63],
    }


def _ours_left_out(names: dict[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (names or {}).items() if not name.startswith(KEPT_FOR_STINT)}
