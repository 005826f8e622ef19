"""What several kinds share: metadata, conditions, references, values from ConfigMaps and Secrets, selectors."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from stint.api.base import Model, Rule, Schema
from stint.api.scalars import Generation, Key, LabelKey, LabelValue, Message, Name, plain_list

ConditionStatus = Literal["True", "False", "Unknown"]


class OwnerReference(Model):
    """The object that this one belongs to."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class ObjectMeta(Model):
    """The part of `metadata` that the controller reads. The API server owns its schema, so it is not in the CRDs."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = Field({})
    annotations: dict[str, str] = Field({})
    finalizers: list[str] = Field([])
    owner_references: list[OwnerReference] = Field([])


def short_name(kind: str) -> Rule:
    """Names of what sessions share can be used as a label's value, which has 63 characters."""
    return Rule("size(self.metadata.name) <= 63", f"the name of {kind} must fit into a label: use at most 63 characters")


class Resource(Model):
    """An object of the API. Subclasses add `spec` and `status`."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()


class Condition(Model):
    """One fact about the object, in the form that `kubectl wait` understands."""

    type: Annotated[str, Schema(maxLength=63, minLength=1)] = Field(description="What the fact is about, such as Ready.")
    status: ConditionStatus = Field(description="Whether it holds: True, False or Unknown.")
    reason: Annotated[str, Schema(maxLength=128, minLength=1, pattern="^[A-Za-z][A-Za-z0-9]*$")] = Field(
        description="One CamelCase word for programs."
    )
    message: Message = Field(description="A sentence for people.")
    last_transition_time: datetime = Field(description="When the status last changed.")
    observed_generation: Generation | None = Field(None, description="The metadata.generation that this fact was found for.")


class LocalReference(Model):
    """An object in the namespace of the session."""

    name: Name = Field(description="Name of the object.")


class KeyReference(Model):
    """One key of a ConfigMap or Secret in the namespace of the session."""

    name: Name = Field(description="Name of the ConfigMap or Secret, in the namespace of the session.")
    key: Key = Field(description="Key inside it.")


ONE_SOURCE = Rule(
    "has(self.configMapKeyRef) != has(self.secretKeyRef)",
    "name exactly one source: configMapKeyRef or secretKeyRef",
)


class ValueSource(Model):
    """Where a value comes from: a key of a ConfigMap or of a Secret."""

    rules = (ONE_SOURCE,)

    config_map_key_ref: KeyReference | None = Field(None, description="Take the value from a key of a ConfigMap.")
    secret_key_ref: KeyReference | None = Field(None, description="Take the value from a key of a Secret.")


class LabelSelectorRequirement(Model):
    """One expression of a label selector."""

    rules = (
        Rule(
            "(self.operator in ['Exists', 'DoesNotExist']) != (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values; Exists and DoesNotExist have none",
        ),
    )

    key: LabelKey = Field(description="Label key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How the label's value is compared.")
    values: Annotated[list[LabelValue], plain_list(32)] | None = Field(
        None, description="Values for In and NotIn; empty for Exists and DoesNotExist."
    )


class LabelSelector(Model):
    """Selects objects by their labels; an empty selector selects all."""

    match_labels: Annotated[dict[str, LabelValue], Schema(maxProperties=32)] | None = Field(
        None, description="Labels that all have to be there with this value."
    )
    match_expressions: Annotated[list[LabelSelectorRequirement], plain_list(32)] | None = Field(
        None, description="Expressions that all have to hold."
    )


AnyJSON = Annotated[Any, Schema(**{"x-kubernetes-preserve-unknown-fields": True})]
"""Any JSON value; the API server checks nothing of it."""
FreeForm = Annotated[dict[str, Any], Schema(**{"x-kubernetes-preserve-unknown-fields": True})]
"""Any JSON object."""
