"""What the tests of sessions share beside the builders: reading a plan, and rules of Kubernetes written down a second time, apart from the code."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from simulation.pod_status import Json
from simulation.structural import problems, schema_of
from stint.api.provider import ModelProvider
from stint.engine.cache import ObjectCache
from stint.engine.plan import Plan
from stint.kube.client import KubeClient
from stint.kube.errors import NotFound
from stint.kube.resources import CONFIG_MAPS, SECRETS, Resource
from stint.providers.traffic import Traffic
from stint.sessions.desk import Desk
from stint.sessions.ending import Remains
from stint.sessions.observe import World
from stint.sessions.observed import Observed, Provider
from stint.sessions.pod.manifest import agent_pod
from stint.sessions.pod_store import PodStore
from stint.sessions.policy_store import PolicyStore
from stint.sessions.presence import PresenceChecks
from stint.settings import Settings
from unit.sessions.builders import NAMESPACE, NOW, SETTINGS, Gone, facts, observed

OUTPUT_SCHEMA: Json = {"agent": {"outputSchema": {"properties": {"a": {}}}}}
"""A session's spec that asks for structured output."""
GIT: Json = {"workspace": {"git": {"url": "https://git.example.com/x"}}}


# Reading a plan


def status_of(decided: Plan) -> Json:
    """The status that a plan writes, as the API server would store it."""
    assert decided.status is not None, "the plan writes no status"
    stored: Json = json.loads(json.dumps(decided.status))
    wrong = problems(schema_of("agentsessions")["properties"]["status"], stored)
    assert not wrong, "; ".join(wrong)
    return stored


def told(status: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Conditions by type: (status, reason)."""
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


def message(status: Mapping[str, Any], kind: str = "Ready") -> str:
    return next(str(one["message"]) for one in status["conditions"] if one["type"] == kind)


def last_attempt(decided: Plan) -> Json:
    """The entry of the attempt that a plan settles."""
    entry: Json = status_of(decided)["history"][-1]
    return entry


def created(decided: Plan) -> list[str]:
    return [one.resource.plural for one in decided.create]


def deleted(decided: Plan) -> list[tuple[str, str]]:
    return [(one.resource.plural, one.name) for one in decided.delete]


def remains(item: Json | Gone, seen: Observed | None = None) -> Remains:
    return Remains(seen or observed(pods=[item]), facts(item))


# The pod


def the_pod(seen: Observed) -> Json:
    return agent_pod(seen)


def containers(pod: Json) -> dict[str, Json]:
    """All containers by name, init containers included."""
    return {one["name"]: one for one in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])}


def mounts(pod: Json, name: str) -> dict[str, Json]:
    """The mounts of one container, by path."""
    return {one["mountPath"]: one for one in containers(pod)[name]["volumeMounts"]}


def volume(pod: Json, name: str) -> Json:
    found: Json = next(one for one in pod["spec"]["volumes"] if one["name"] == name)
    return found


def run_json(seen: Observed) -> Json:
    found: Json = json.loads(the_pod(seen)["metadata"]["annotations"]["stint.dev/run"])
    return found


def gateway_json(seen: Observed) -> Json:
    found: Json = json.loads(the_pod(seen)["metadata"]["annotations"]["stint.dev/gateway"])
    return found


RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SAFE_SECCOMP = ("RuntimeDefault", "Localhost")
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"


def violations(pod: Json) -> list[str]:
    """What a pod has against Pod Security `restricted` (baseline included), after https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    spec = pod["spec"]
    whole = spec.get("securityContext", {})
    found = [f"spec.{name}" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    found += [f"volume {one['name']} is a {kind}" for one in spec["volumes"] for kind in one if kind not in RESTRICTED_VOLUMES | {"name"}]
    found += [
        f"annotation {name}: {value}"
        for name, value in pod["metadata"].get("annotations", {}).items()
        if name.startswith(APPARMOR_ANNOTATION) and not value.startswith(("runtime/default", "localhost/"))
    ]
    found += [f"sysctl {one['name']}" for one in whole.get("sysctls", ())]
    for one in (*spec.get("initContainers", ()), *spec["containers"], *spec.get("ephemeralContainers", ())):
        found += [f"{one['name']}: {problem}" for problem in _container_violations(one, one.get("securityContext", {}), whole)]
    return found


def _container_violations(container: Json, own: Json, whole: Json) -> list[str]:
    def effective(field: str) -> Any:
        return own.get(field, whole.get(field))

    capabilities = own.get("capabilities", {})
    checks = {
        "privileged": bool(own.get("privileged")),
        "allowPrivilegeEscalation is not false": own.get("allowPrivilegeEscalation") is not False,
        "capabilities are not all dropped": "ALL" not in capabilities.get("drop", ()),
        "capabilities are added": bool(set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}),
        "may run as root": effective("runAsNonRoot") is not True,
        "runs as root": effective("runAsUser") == 0,
        "seccomp is not set": (effective("seccompProfile") or {}).get("type") not in SAFE_SECCOMP,
        "host ports": any(port.get("hostPort") for port in container.get("ports", ())),
        "procMount": own.get("procMount", "Default") != "Default",
        "SELinux": bool(set(effective("seLinuxOptions") or {}) & {"user", "role"}),
    }
    return [what for what, is_so in checks.items() if is_so]


def expanded(text: str) -> str:
    """A variable's value as kubelet hands it to the container when no variable is defined (k8s.io/kubernetes/third_party/forked/golang/expansion)."""
    out, at = "", 0
    while at < len(text):
        following = text[at + 1 : at + 2]
        if text[at] == "$" and following == "$":
            out, at = out + "$", at + 2
        elif text[at] == "$" and following == "(" and ")" in text[at + 2 :]:
            out, at = out + "<expanded>", text.index(")", at + 2) + 1
        else:
            out, at = out + text[at], at + 1
    return out


# Everything around `observe`


class Cluster(KubeClient):
    """An API server that holds Secrets, ConfigMaps and logs, and counts how often it is asked."""

    def __init__(self, **keys: Mapping[str, str]) -> None:
        super().__init__()
        self.objects: dict[tuple[str, str, str], Json] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.log: str | Exception = ""
        for name, data in keys.items():
            self.objects["secrets", NAMESPACE, name] = {"data": dict(data)}

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        assert resource in (SECRETS, CONFIG_MAPS)
        place = (resource.plural, namespace, name)
        self.asked.append(place)
        if place not in self.objects:
            raise NotFound(404, "NotFound", f"{name} not found")
        return self.objects[place]

    async def log_tail(self, namespace: str, pod: str, container: str, lines: int) -> str:
        self.asked.append(("log", namespace, f"{pod}/{container}/{lines}"))
        if isinstance(self.log, Exception):
            raise self.log
        return self.log

    async def pages(
        self, resource: Resource, namespace: str | None = None, *, selector: str = "", chunk: int = 500
    ) -> AsyncIterator[tuple[list[Json], str]]:
        yield [], "1000"


def world(client: Cluster, *items: Json, settings: Settings = SETTINGS) -> World:
    """A world that knows these objects, sorted by kind."""
    caches = {kind: ObjectCache(kind) for kind in ("AgentSession", "AgentProfile", "ModelProvider")}
    pods = PodStore(lambda key: None, caches["AgentSession"].holds, lambda uid, attempt: None)
    for item in items:
        if item["kind"] == "Pod":
            pods.take(item)
        else:
            caches[item["kind"]].put(item)
    presence = PresenceChecks(client, settings.reference_recheck_seconds)
    sessions, profiles, providers = caches.values()
    return World(client, sessions, profiles, providers, pods, presence, PolicyStore(), settings)


def read_provider(item: Json) -> Provider:
    return Provider(item["metadata"]["name"], item["metadata"]["namespace"], ModelProvider.read(item).spec)


def time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def no_traffic() -> Traffic:
    """No provider has ever failed, or told of a window."""
    return Traffic(ObjectCache("ModelProvider"), SETTINGS.system_namespace, look=_nobody, clock=lambda: NOW)


def no_budgets() -> Desk:
    """There are none, so nobody asks for one."""
    return Desk(SETTINGS.system_namespace, look=_nobody, publish=_nobody, clock=lambda: NOW)


def _nobody(_: object) -> None:
    raise AssertionError("a budget that is not there has something to say")
