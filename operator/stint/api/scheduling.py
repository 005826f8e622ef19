"""Where a pod may run: Kubernetes' own tolerations, affinity and topology spread, typed and bounded so that a typing error is refused
when the session is created and not when its pod is."""

from typing import Annotated, Literal

from pydantic import Field

from stint.api.base import Model, Rule, Schema
from stint.api.common import LabelSelector
from stint.api.scalars import LabelKey, LabelValue, Name, integer, plain_list, set_list

TaintEffect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Toleration(Model):
    """A taint that the pod tolerates."""

    rules = (
        Rule(
            "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            "operator Exists compares no value: take out value, or use operator Equal",
            path=".value",
        ),
        Rule(
            "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
            "give the taint's key, or operator Exists to tolerate every taint",
        ),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds needs effect: NoExecute",
            path=".tolerationSeconds",
        ),
    )

    key: LabelKey | None = Field(None, description="Taint key; left out with operator Exists, it matches every taint.")
    operator: Literal["Exists", "Equal"] | None = Field(None, description="Equal (the default) compares the value, Exists does not.")
    value: LabelValue | None = Field(None, description="Taint value, for Equal.")
    effect: TaintEffect | None = Field(None, description="Taint effect; left out, it matches all effects.")
    toleration_seconds: Annotated[int, integer(0, 2**31 - 1)] | None = Field(
        None, description="How long a NoExecute taint is tolerated; left out, for ever."
    )


class NodeSelectorRequirement(Model):
    """One expression about a node."""

    rules = (
        Rule(
            "(self.operator in ['Exists', 'DoesNotExist']) != (has(self.values) && size(self.values) > 0)",
            "In, NotIn, Gt and Lt need values; Exists and DoesNotExist have none",
        ),
    )

    key: LabelKey = Field(description="Node label, or field name such as metadata.name.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(description="How the value is compared.")
    values: Annotated[list[Annotated[str, Schema(maxLength=253)]], plain_list(32)] | None = Field(
        None, description="Values for In, NotIn, Gt and Lt; empty for Exists and DoesNotExist."
    )


class NodeSelectorTerm(Model):
    """Expressions about a node that all have to hold."""

    match_expressions: Annotated[list[NodeSelectorRequirement], plain_list(16)] | None = Field(None, description="Over the node's labels.")
    match_fields: Annotated[list[NodeSelectorRequirement], plain_list(16)] | None = Field(None, description="Over the node's fields.")


class NodeSelector(Model):
    """Terms of which one has to hold."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], plain_list(16, least=1)] = Field(description="Terms of which one has to hold.")


class PreferredSchedulingTerm(Model):
    """A term that makes a node more welcome."""

    weight: Annotated[int, integer(1, 100)] = Field(description="How much, from 1 to 100.")
    preference: NodeSelectorTerm = Field(description="The term.")


class NodeAffinity(Model):
    """Which nodes the pod seeks."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(None, description="Nodes that it may run on.")
    preferred_during_scheduling_ignored_during_execution: Annotated[list[PreferredSchedulingTerm], plain_list(16)] | None = Field(
        None, description="Nodes that it would rather run on."
    )


class PodAffinityTerm(Model):
    """Other pods, and how near."""

    label_selector: LabelSelector | None = Field(None, description="Which pods.")
    namespace_selector: LabelSelector | None = Field(None, description="In the namespaces with these labels.")
    namespaces: Annotated[list[Name], set_list(16)] | None = Field(None, description="In these namespaces. Default: the session's.")
    topology_key: LabelKey = Field(description="Node label that says what near means, such as kubernetes.io/hostname.")
    match_label_keys: Annotated[list[LabelKey], set_list(8)] | None = Field(None, description="Labels whose value is taken from this pod.")
    mismatch_label_keys: Annotated[list[LabelKey], set_list(8)] | None = Field(None, description="Labels whose value must differ from this pod's.")


class WeightedPodAffinityTerm(Model):
    """A term that makes a node more welcome."""

    weight: Annotated[int, integer(1, 100)] = Field(description="How much, from 1 to 100.")
    pod_affinity_term: PodAffinityTerm = Field(description="The term.")


class PodAffinity(Model):
    """Which pods to run near to."""

    required_during_scheduling_ignored_during_execution: Annotated[list[PodAffinityTerm], plain_list(16)] | None = Field(
        None, description="Terms that have to hold."
    )
    preferred_during_scheduling_ignored_during_execution: Annotated[list[WeightedPodAffinityTerm], plain_list(16)] | None = Field(
        None, description="Terms that are weighed."
    )


class PodAntiAffinity(PodAffinity):
    """Which pods to keep away from."""


class Affinity(Model):
    """Which nodes and neighbours the pod seeks or avoids."""

    node_affinity: NodeAffinity | None = Field(None, description="Which nodes the pod seeks.")
    pod_affinity: PodAffinity | None = Field(None, description="Which pods to run near to.")
    pod_anti_affinity: PodAntiAffinity | None = Field(None, description="Which pods to keep away from.")


class TopologySpreadConstraint(Model):
    """How evenly pods are spread."""

    max_skew: Annotated[int, integer(1, 1000)] = Field(description="Largest difference of pods between two domains.")
    topology_key: LabelKey = Field(description="Node label that makes up the domains.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(description="Whether to wait or to go on when it cannot be met.")
    label_selector: LabelSelector | None = Field(None, description="Which pods are counted.")
    min_domains: Annotated[int, integer(1, 1000)] | None = Field(None, description="Fewest domains.")
    node_affinity_policy: Literal["Honor", "Ignore"] | None = Field(None, description="Whether node affinity limits the domains.")
    node_taints_policy: Literal["Honor", "Ignore"] | None = Field(None, description="Whether taints limit the domains.")
    match_label_keys: Annotated[list[LabelKey], set_list(8)] | None = Field(None, description="Labels whose value is taken from this pod.")
