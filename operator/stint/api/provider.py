"""ModelProvider: where the model is, how to reach it, what it costs, and when sessions stop asking it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from stint.api.base import Model, Rule, Schema
from stint.api.common import Condition, LabelSelector, Resource, short_name
from stint.api.scalars import Generation, Key, Minutes, ModelName, Name, Price, Word, integer, map_list, matching, never, plain_list, set_list

DEFAULT_MODEL = "claude-sonnet-5-5"
"""A full id: the CLI's own default changes with its version and with the kind of credential."""

ProviderType = Literal["Anthropic"]
CredentialType = Literal["APIKey", "AuthToken", "SetupToken"]
UnknownModels = Literal["Refuse", "CountAsDearest"]
ProbeKind = Literal["Session", "Endpoint"]
ScopeKind = Literal["Provider", "Model", "Credential"]
CircuitState = Literal["Closed", "HalfOpen", "Open"]
WindowState = Literal["Allowed", "Warning", "Rejected"]

CIRCUITS = 256
"""How many circuits `status.circuits` holds."""
WINDOWS = 256
"""How many windows `status.windows` holds."""


BASE_URL = "https://api.anthropic.com"

BaseURL = Annotated[
    str,
    Schema(
        never("@", "put the credential into a Secret and name it in credential.secretRef, not into the URL"),
        never("/v1/?$", "leave out /v1: the gateway adds the path of each request"),
        matching(
            "^(https://[A-Za-z0-9][^/?#\\s]*|http://[a-z0-9][-a-z0-9.]*\\.svc(\\.cluster\\.local)?(:[0-9]{1,5})?)(/[^?#\\s]*)?$",
            "write https://host, or http://name.namespace.svc for a Service of the cluster; nothing may follow the path",
        ),
        maxLength=1024,
        minLength=1,
        default=BASE_URL,
    ),
]
CIDR = Annotated[str, Schema(Rule("isCIDR(self)", "write a range of addresses such as 160.79.104.0/23 or 2607:6bc0::/48"), maxLength=64, minLength=1)]


class Endpoint(Model):
    """The API's address."""

    base_url: BaseURL = Field(BASE_URL, description="Address without /v1; http:// only for a Service of the cluster (*.svc).")


class CredentialSecret(Model):
    """The Secret that holds the credential, in the namespace of the session that uses the provider."""

    name: Annotated[Name, Schema(default="anthropic")] = Field(
        "anthropic", description="Name of the Secret, in the namespace of the session: each team brings its own."
    )
    key: Annotated[Key, Schema(default="api-key")] = Field("api-key", description="Key inside the Secret.")


class Credential(Model):
    """How to sign in."""

    type: Annotated[CredentialType, Schema(default="APIKey")] = Field(
        "APIKey",
        description="APIKey: a key of the Console (x-api-key); AuthToken: a bearer token, as gateways use; "
        "SetupToken: the token that `claude setup-token` prints.",
    )
    secret_ref: Annotated[CredentialSecret, Schema(default={})] = Field(CredentialSecret(), description="The Secret that holds the credential.")


class ModelPrice(Model):
    """What one model costs, in USD per million tokens."""

    model: ModelName = Field(description="Id of the model.")
    input: Price = Field(description="Input.")
    output: Price = Field(description="Output.")
    cache_read: Price = Field(description="Input read from the cache.")
    cache_write_5m: Price = Field(description="Input written to the cache for five minutes.")
    cache_write_1h: Price = Field(description="Input written to the cache for one hour.")


class InCluster(Model):
    """Pods of this cluster that serve the endpoint."""

    namespace_selector: LabelSelector | None = Field(None, description="Namespaces they are in. Default: the session's namespace.")
    pod_selector: LabelSelector | None = Field(None, description="Labels they have. Default: all pods of these namespaces.")
    port: Annotated[int, integer(1, 65535)] = Field(description="Port of the pods (not of their Service).")


class Network(Model):
    """Where agent pods may connect to. Without it: port 443 and 22 of everything outside the cluster."""

    cidrs: Annotated[list[CIDR], set_list(64)] | None = Field(None, description="Only these ranges outside the cluster, such as 160.79.104.0/23.")
    in_cluster: InCluster | None = Field(None, description="Pods of this cluster that serve the endpoint.")


class OpenFor(Model):
    """How long a circuit stays open before it is tried again."""

    rules = (
        Rule(
            "!has(self.initial) || !has(self.max) || duration(self.initial) <= duration(self.max)",
            "initial may not be longer than max: shorten initial or lengthen max",
            path=".initial",
        ),
    )

    initial: Annotated[Minutes, Schema(default="30s")] = Field("30s", description="The first time.")
    factor: Annotated[int, integer(1, 10), Schema(default=2)] = Field(2, description="Every further time in a row is this many times longer.")
    max: Annotated[Minutes, Schema(default="10m")] = Field("10m", description="The longest.")


class Breaker(Model):
    """When sessions stop asking a provider that fails."""

    failures: Annotated[int, integer(1, 100), Schema(default=5)] = Field(
        5, description="So many attempts in a row that fail because of the provider open a circuit. A refused credential (401, 403) opens it at once."
    )
    window: Annotated[Minutes, Schema(default="10m")] = Field("10m", description="Failures longer ago than this do not count.")
    open_for: Annotated[OpenFor, Schema(default={})] = Field(OpenFor(), description="How long a circuit stays open before it is tried again.")
    probe: Annotated[ProbeKind, Schema(default="Session")] = Field(
        "Session",
        description="What tries an open circuit. Session: the first session in line; Endpoint: for the provider as a whole a GET of the controller, "
        "without credential, for the others a session.",
    )


class ProviderSpec(Model):
    """Where the model is, how to reach it, and what it costs."""

    type: Annotated[ProviderType, Schema(default="Anthropic")] = Field(
        "Anthropic", description="Whose API it is. Anthropic also means every gateway that speaks its Messages API."
    )
    endpoint: Annotated[Endpoint, Schema(default={})] = Field(Endpoint(), description="The API's address.")
    credential: Annotated[Credential, Schema(default={})] = Field(Credential(), description="How to sign in.")
    default_model: Annotated[ModelName, Schema(default=DEFAULT_MODEL)] = Field(
        DEFAULT_MODEL, description="Model of sessions that name none, and whose profile names none."
    )
    prices: Annotated[list[ModelPrice], map_list("model", 128)] = Field([], description="What each model costs.")
    unknown_models: Annotated[UnknownModels, Schema(default="CountAsDearest")] = Field(
        "CountAsDearest",
        description="What happens with a model that has no price: CountAsDearest counts it at the dearest price of the list, "
        "Refuse refuses the request.",
    )
    network: Network | None = Field(None, description="Where agent pods may connect to.")
    breaker: Annotated[Breaker, Schema(default={})] = Field(Breaker(), description="When sessions stop asking a provider that fails.")


class Probe(Model):
    """The one attempt that tries."""

    uid: Annotated[str, Schema(maxLength=64)] = Field(description="Uid of its session; empty while the controller asks the endpoint itself.")
    attempt: Annotated[int, integer(0, 2**31 - 1)] = Field(description="Number of the attempt.")
    since: datetime = Field(description="Since when.")


class CircuitStatus(Model):
    """A circuit that is not closed, or was not within the last hour."""

    scope: ScopeKind = Field(
        description="Provider: for everybody; Model: for one model with one credential; Credential: for one Secret of one namespace."
    )
    model: Annotated[str, Schema(maxLength=256)] | None = Field(None, description="The model.")
    namespace: Annotated[str, Schema(maxLength=63)] | None = Field(None, description="Namespace of the sessions and of their Secret.")
    secret: Annotated[str, Schema(maxLength=253)] | None = Field(None, description="Name of the Secret.")
    state: CircuitState = Field(description="Open: no attempt starts; HalfOpen: one tries; Closed: all may start.")
    since: datetime = Field(description="Since when.")
    reason: Word | None = Field(None, description="Class of the errors that opened it.")
    openings: Annotated[int, integer(0, 2**31 - 1)] = Field(0, description="How often in a row it was opened.")
    until: datetime | None = Field(None, description="When it is tried again.")
    probe: Probe | None = Field(None, description="The attempt that tries.")


class WindowStatus(Model):
    """A rate-limit window of one credential, as the provider last told of it."""

    namespace: Annotated[str, Schema(maxLength=63)] = Field(description="Namespace of the Secret.")
    secret: Annotated[str, Schema(maxLength=253)] = Field(description="Name of the Secret.")
    window: Word = Field(description="FiveHour, SevenDay, Requests, Tokens, …; RetryAfter or RateLimit, where only a moment was named.")
    status: WindowState = Field(description="Allowed; Warning: the provider warns; Rejected: it refuses requests until the reset.")
    utilization: Annotated[int, integer(0, 1000)] | None = Field(None, description="How full it is, in percent.")
    resets_at: datetime | None = Field(None, description="When it is reset.")
    seen: datetime = Field(description="When the provider said so.")


class ProviderStatus(Model):
    """What Stint found out about the provider."""

    observed_generation: Generation | None = Field(None, description="The metadata.generation that this status was computed for.")
    conditions: Annotated[list[Condition], map_list("type", 16)] = Field([], description="Ready, Reconciling and Stalled.")
    circuits: Annotated[list[CircuitStatus], plain_list(CIRCUITS)] | None = Field(
        None, description="Circuits that are not closed, or were not within the last hour."
    )
    windows: Annotated[list[WindowStatus], plain_list(WINDOWS)] | None = Field(None, description="Rate-limit windows of the credentials in use.")


class ModelProvider(Resource):
    """Where the model is and how to reach it: endpoint, credential, prices. A provider in the system namespace serves every namespace,
    each with its own Secret."""

    rules = (short_name("a provider"),)

    spec: ProviderSpec = Field(description="Where the model is, how to reach it, and what it costs.")
    status: ProviderStatus = Field(ProviderStatus(), description="What Stint found out about the provider. Written by Stint only.")
