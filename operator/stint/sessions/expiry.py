"""What happens to a finished session in time.

An object that Argo CD or Flux keeps in a repository would be created, run and paid for again if we deleted it: of those only pods and volume go.
"""

from __future__ import annotations

from datetime import timedelta

from stint.engine.conditions import moment
from stint.engine.plan import Delete, Plan
from stint.kube.resources import CLAIMS, PODS, Resource
from stint.sessions.names import volume_name
from stint.sessions.observed import Observed

SESSIONS = Resource("stint.dev", "v1alpha1", "agentsessions")
TRACKED_BY_ANNOTATION = ("argocd.argoproj.io/tracking-id",)
TRACKED_BY_LABEL = ("argocd.argoproj.io/instance", "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")


def expire(seen: Observed) -> Plan:
    """Nothing before ``ttlSecondsAfterFinished`` has passed, nothing ever without one."""
    ttl = seen.spec.ttl_seconds_after_finished if seen.spec else None
    finished = moment(seen.status.get("completionTime"))
    if ttl is None or finished is None:
        return Plan()
    due = finished + timedelta(seconds=ttl)
    if seen.now < due:
        return Plan(look_again=due)
    if not tracked(seen):
        return Plan(delete=(Delete(SESSIONS, seen.namespace, seen.name, seen.uid),))
    pods = tuple(Delete(PODS, pod.namespace, pod.name, pod.uid) for pod in seen.pods if pod.deleting_since is None and not pod.gone)
    volume = () if seen.resolved is None or seen.resolved.ephemeral or not pods else (_volume(seen),)
    return Plan(delete=(*pods, *volume))


def tracked(seen: Observed) -> bool:
    """Whether a GitOps tool would create the object again."""
    labels, annotations = seen.metadata.get("labels") or {}, seen.metadata.get("annotations") or {}
    return any(name in annotations for name in TRACKED_BY_ANNOTATION) or any(name in labels for name in TRACKED_BY_LABEL)


def _volume(seen: Observed) -> Delete:
    return Delete(CLAIMS, seen.namespace, volume_name(seen.name, seen.uid), None)
