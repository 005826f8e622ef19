"""The CustomResourceDefinitions: names, columns and schema of each kind."""

from dataclasses import dataclass
from typing import Any

from stint.api.base import GROUP, VERSION
from stint.api.budget import RateBudget
from stint.api.common import Resource
from stint.api.profile import AgentProfile
from stint.api.provider import ModelProvider
from stint.api.session import AgentSession
from stint.api.structural import structural


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; `wide` ones appear with `-o wide` only."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False

    def document(self) -> dict[str, Any]:
        column = {"name": self.name, "type": self.type, "jsonPath": self.path, "description": self.description}
        return column | ({"priority": 1} if self.wide else {})


def _reason(condition: str) -> str:
    return f'.status.conditions[?(@.type=="{condition}")].reason'


def _status(condition: str) -> str:
    return f'.status.conditions[?(@.type=="{condition}")].status'


AGE = Column("Age", ".metadata.creationTimestamp", "How old the object is.", type="date")


@dataclass(frozen=True)
class Kind:
    """One kind of the group."""

    model: type[Resource]
    plural: str
    short: str
    columns: tuple[Column, ...]
    categories: tuple[str, ...] = ("stint",)
    selectable: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.model.__name__

    @property
    def crd(self) -> str:
        return f"{self.plural}.{GROUP}"


KINDS = (
    Kind(
        AgentSession,
        plural="agentsessions",
        short="ags",
        categories=("stint", "all"),
        selectable=(".spec.profileRef.name", ".spec.providerRef.name", ".status.phase"),
        columns=(
            Column("Phase", ".status.phase", "How far the session is."),
            Column("Attempt", ".status.attempt", "Number of the latest attempt.", type="integer"),
            Column("Cost", ".status.usage.cost", "USD used so far, as settled."),
            Column("Waiting", ".status.waitingFor.reason", "Why nothing happens at the moment."),
            Column("Reason", _reason("Ready"), "Why the session is where it is.", wide=True),
            Column("Model", ".spec.agent.model", "Model, if the session itself names one.", wide=True),
            Column("Profile", ".spec.profileRef.name", "AgentProfile, if there is one.", wide=True),
            Column("Provider", ".spec.providerRef.name", "ModelProvider, if the session itself names one.", wide=True),
            Column("Turns", ".status.usage.turns", "Turns of the conversation.", type="integer", wide=True),
            Column("Session", ".status.sessionID", "Id of the conversation.", wide=True),
            Column("Pod", ".status.podName", "Pod of the running attempt.", wide=True),
            AGE,
        ),
    ),
    Kind(
        AgentProfile,
        plural="agentprofiles",
        short="agprof",
        columns=(
            Column("Ready", _status("Ready"), "Whether sessions can use the profile."),
            Column("Model", ".spec.agent.model", "Model of the profile."),
            Column("Description", ".spec.description", "What the profile is for."),
            Column("Reason", _reason("Ready"), "Why it is ready or not.", wide=True),
            Column("Hash", ".status.contentHash", "SHA-256 of the spec.", wide=True),
            AGE,
        ),
    ),
    Kind(
        ModelProvider,
        plural="modelproviders",
        short="mp",
        columns=(
            Column("Ready", _status("Ready"), "Whether sessions can use the provider."),
            Column("Type", ".spec.type", "Whose API it is."),
            Column("Endpoint", ".spec.endpoint.baseURL", "The API's address."),
            Column("Reason", _reason("Ready"), "Why it is ready or not."),
            Column("Model", ".spec.defaultModel", "Model of sessions that name none.", wide=True),
            Column("Credential", ".spec.credential.type", "How to sign in.", wide=True),
            AGE,
        ),
    ),
    Kind(
        RateBudget,
        plural="ratebudgets",
        short="rb",
        columns=(
            Column("Ready", _status("Ready"), "Whether the budget counts."),
            Column("Exhausted", _status("Exhausted"), "Whether an account has no room."),
            Column("Waiting", ".status.waiting", "Sessions that wait for room.", type="integer"),
            Column("AtLimit", ".spec.atLimit", "What happens to a session that has no room."),
            Column("Reason", _reason("Ready"), "Why it is ready or not.", wide=True),
            Column("WhenSpent", ".spec.whenSpent", "What happens to running sessions once a limit is spent.", wide=True),
            Column("Accounts", ".status.accountCount", "How many accounts there are.", type="integer", wide=True),
            AGE,
        ),
    ),
)

# The API server owns these three; it refuses a schema that says more about them.
STANDARD = {
    "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
    "kind": {"type": "string", "description": "The kind, as above."},
    "metadata": {"type": "object"},
}


def schema(kind: Kind) -> dict[str, Any]:
    """The whole schema of the kind, `metadata` left to the API server."""
    found = structural(kind.model)
    return found | {"properties": found["properties"] | STANDARD}


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.document() for column in kind.columns],
        "schema": {"openAPIV3Schema": schema(kind)},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": list(kind.categories),
            },
            "versions": [version],
        },
    }
