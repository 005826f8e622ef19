"""`spec.podTemplate`: the part of the pod that users may shape. An allow-list: everything else is Stint's, or the pod is no sandbox."""

from typing import Annotated

from pydantic import Field

from stint.api.base import Model, Rule, Schema
from stint.api.common import LocalReference
from stint.api.env import NOT_RESERVED
from stint.api.scalars import KIB, LabelValue, Name, Quantity, map_list, matching, plain_list
from stint.api.scheduling import Affinity, Toleration, TopologySpreadConstraint

SYSTEM_PRIORITY = "name a PriorityClass of your own; the cluster's own classes (system-...) would let agents displace everything else"

AnnotationValue = Annotated[str, Schema(maxLength=4 * KIB)]
ResourceList = Annotated[dict[str, Quantity], Schema(maxProperties=16)]


OWN_METADATA = Rule("self.all(key, !key.startsWith('stint.dev/'))", "choose another prefix: metadata under stint.dev/ is Stint's own")
SANDBOX = Rule(
    "self.all(key, !key.startsWith('container.apparmor.security.beta.kubernetes.io/') && !key.startsWith('seccomp.security.alpha.kubernetes.io/'))",
    "take out the AppArmor and seccomp annotations: agent pods run under the runtime's default profiles, and sessions do not choose others",
)
KEYS = Rule(
    "self.all(key, key.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",
    "write keys such as team or example.com/team",
)


class Resources(Model):
    """What the agent container asks of the node."""

    rules = (
        Rule(
            "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || "
            "!isQuantity(string(self.requests[name])) || !isQuantity(string(self.limits[name])) || "
            "quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
            "a request may not be larger than the limit of the same name: lower the request or raise the limit",
            path=".requests",
        ),
    )

    requests: ResourceList | None = Field(None, description="What the scheduler sets aside, such as cpu and memory.")
    limits: ResourceList | None = Field(None, description="The most that the container may use.")


class EnvFrom(Model):
    """All keys of a ConfigMap or Secret as variables of the agent."""

    rules = (Rule("has(self.configMapRef) != has(self.secretRef)", "give exactly one of configMapRef and secretRef"),)

    prefix: (
        Annotated[
            str,
            Schema(matching("^[A-Za-z_][A-Za-z0-9_]*$", "write a prefix of letters, digits and _"), NOT_RESERVED, maxLength=64, minLength=1),
        ]
        | None
    ) = Field(None, description="Put before every key.")
    config_map_ref: LocalReference | None = Field(None, description="All keys of this ConfigMap.")
    secret_ref: LocalReference | None = Field(None, description="All keys of this Secret. The agent can read them.")


class PodTemplate(Model):
    """What users may shape of the agent pod."""

    labels: Annotated[dict[str, LabelValue], Schema(OWN_METADATA, KEYS, maxProperties=32)] | None = Field(
        None, description="Further labels of the pod."
    )
    annotations: Annotated[dict[str, AnnotationValue], Schema(OWN_METADATA, SANDBOX, KEYS, maxProperties=32)] | None = Field(
        None, description="Further annotations of the pod."
    )
    resources: Resources | None = Field(None, description="CPU, memory and the like of the agent container.")
    node_selector: Annotated[dict[str, LabelValue], Schema(KEYS, maxProperties=32)] | None = Field(None, description="Labels that a node must have.")
    tolerations: Annotated[list[Toleration], plain_list(32)] | None = Field(None, description="Taints that the pod tolerates.")
    affinity: Affinity | None = Field(None, description="Which nodes and neighbours the pod seeks or avoids, as in a Kubernetes pod.")
    topology_spread_constraints: (
        Annotated[
            list[TopologySpreadConstraint],
            Schema(maxItems=8, **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["topologyKey", "whenUnsatisfiable"]}),
        ]
        | None
    ) = Field(None, description="How pods are spread over zones or nodes, as in a Kubernetes pod.")
    runtime_class_name: Name | None = Field(None, description="RuntimeClass, such as one for gVisor or Kata.")
    service_account_name: Name | None = Field(
        None, description="ServiceAccount of the pod, for image pull secrets and workload identity. Its API token is never mounted."
    )
    priority_class_name: Annotated[Name, Schema(Rule("!self.startsWith('system-')", SYSTEM_PRIORITY))] | None = Field(
        None, description="PriorityClass of the pod on its node; not one of the cluster's own (system-…)."
    )
    image_pull_secrets: Annotated[list[LocalReference], map_list("name", 16)] | None = Field(None, description="Secrets for pulling the images.")
    env_from: Annotated[list[EnvFrom], plain_list(16)] | None = Field(
        None, description="Variables of the agent from whole ConfigMaps and Secrets. Names that Stint reserves are left out."
    )
