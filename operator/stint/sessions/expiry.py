"""What happens to a finished session in time.

An object that Argo CD or Flux keeps in a repository would be created, run and paid for again if we deleted it: of those only pods and volume go.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from stint.engine.conditions import moment
from stint.engine.plan import Delete, Plan
from stint.kube.resources import CLAIMS, PODS, Resource
from stint.sessions.names import volume_name
from stint.sessions.observed import Observed
from stint.sessions.resolve import Resolved

SESSIONS = Resource("stint.dev", "v1alpha1", "agentsessions")
PROFILE_RECHECK = timedelta(minutes=1)
TRACKED_BY_ANNOTATION = ("argocd.argoproj.io/tracking-id",)
TRACKED_BY_LABEL = ("argocd.argoproj.io/instance", "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")


def expire(seen: Observed) -> Plan:
    """Nothing before ``ttlSecondsAfterFinished`` has passed, nothing ever without one; but a change of the spec is taken note of."""
    status = acknowledged(seen)
    ttl = seen.spec.ttl_seconds_after_finished if seen.spec else None
    finished = moment(seen.status.get("completionTime"))
    if ttl is None or finished is None or seen.status.get("expired"):
        return Plan(status=status)
    due = finished + timedelta(seconds=ttl)
    if seen.now < due:
        return Plan(status=status, look_again=due)
    if not tracked(seen):
        return Plan(delete=(Delete(SESSIONS, seen.namespace, seen.name, seen.uid),))
    if seen.resolved is None:  # a profile that is missing just now may want the volume retained
        return Plan(status=status, look_again=seen.now + PROFILE_RECHECK)
    volume = _volume(seen, seen.resolved)
    pods = tuple(Delete(PODS, pod.namespace, pod.name, pod.uid) for pod in seen.pods if pod.deleting_since is None and not pod.gone)
    fresh = {"volumeSince": seen.settled + 1} if volume else {}
    return Plan(delete=(*volume, *pods), status={**status, "expired": True, **fresh}, delete_first=True)


def acknowledged(seen: Observed) -> dict[str, Any]:
    """The status as it is, for the spec as it is now."""
    conditions = [{**condition, "observedGeneration": seen.generation} for condition in seen.status.get("conditions") or ()]
    return {**seen.status, "observedGeneration": seen.generation, "conditions": conditions}


def tracked(seen: Observed) -> bool:
    """Whether a GitOps tool would create the object again."""
    labels, annotations = seen.metadata.get("labels") or {}, seen.metadata.get("annotations") or {}
    return any(name in annotations for name in TRACKED_BY_ANNOTATION) or any(name in labels for name in TRACKED_BY_LABEL)


def _volume(seen: Observed, terms: Resolved) -> tuple[Delete, ...]:
    if terms.ephemeral or (terms.workspace.volume is not None and terms.workspace.volume.retain_policy == "Retain"):
        return ()
    return (Delete(CLAIMS, seen.namespace, volume_name(seen.name, seen.uid), None),)
