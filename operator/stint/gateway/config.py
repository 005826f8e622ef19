"""What this gateway may do (`gateway.json`) and where things are (the environment), read once at the start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import orjson

from stint.gateway.document import ConfigError, Field
from stint.gateway.limit import Limits
from stint.gateway.price_list import SHIPPED
from stint.gateway.prices import WEB_SEARCH_DEFAULT, Price, PriceTable, UnknownModels

VERSION = 1
TERMINATION_LOG = Path("/dev/termination-log")
Auth = Literal["APIKey", "AuthToken", "SetupToken"]


@dataclass(frozen=True, slots=True)
class Session:
    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Provider:
    name: str
    base_url: str  # without a trailing slash
    auth: Auth


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    session: Session
    attempt: int
    provider: Provider
    prices: PriceTable
    limits: Limits
    unsettled: frozenset[str]  # pods whose usage is in the journal only, and counts against the limits
    output_schema: dict[str, Any] | bool | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are; the defaults are those of an agent pod, tests point elsewhere."""

    config_file: Path = Path("/run/stint/gateway/gateway.json")
    credential_file: Path = Path("/run/stint/credential/credential")
    meter_dir: Path = Path("/var/lib/stint/meter")
    termination_log: Path = TERMINATION_LOG
    pod_uid: str = ""
    agent_port: int = 8787
    report_port: int = 8788
    report_host: str = "0.0.0.0"  # noqa: S104  the kubelet and the controller ask from outside the pod
    read_timeout: float = 300.0  # seconds without a byte from the provider
    drain: float = 3.0  # seconds that answers under way still get at SIGTERM

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Raises ConfigError for a variable that is no number."""
        usual = cls()
        return cls(
            config_file=Path(env.get("STINT_GATEWAY_CONFIG", usual.config_file)),
            credential_file=Path(env.get("STINT_CREDENTIAL_FILE", usual.credential_file)),
            meter_dir=Path(env.get("STINT_METER_DIR", usual.meter_dir)),
            termination_log=termination_log_in(env),
            pod_uid=env.get("POD_UID", usual.pod_uid),
            agent_port=int(_number(env, "STINT_GATEWAY_PORT", usual.agent_port)),
            report_port=int(_number(env, "STINT_REPORT_PORT", usual.report_port)),
            report_host=env.get("STINT_REPORT_HOST", usual.report_host),
            read_timeout=_number(env, "STINT_UPSTREAM_READ_TIMEOUT", usual.read_timeout),
            drain=_number(env, "STINT_GATEWAY_DRAIN", usual.drain),
        )


def termination_log_in(env: Mapping[str, str]) -> Path:
    """Apart from the other settings: it is where a mistake in one of them is reported."""
    return Path(env.get("STINT_TERMINATION_LOG", TERMINATION_LOG))


def _number(env: Mapping[str, str], name: str, usual: float) -> float:
    text = env.get(name)
    if text is None:
        return usual
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"the variable {name} is {text!r}; it must be a number") from None


def load(path: Path) -> GatewayConfig:
    """Read `gateway.json`. Raises ConfigError."""
    try:
        return parse(path.read_bytes())
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}") from None


def parse(text: bytes) -> GatewayConfig:
    try:
        root = Field("gateway.json", orjson.loads(text))
    except orjson.JSONDecodeError as problem:
        raise ConfigError(f"gateway.json is no JSON: {problem}") from None
    version = root.get("version").value
    if version != VERSION:
        raise ConfigError(f"gateway.json has version {version!r}; this gateway reads version {VERSION}")
    session, provider = root.get("session"), root.get("provider")
    return GatewayConfig(
        session=Session(*(session.get(key).text() for key in ("namespace", "name", "uid"))),
        attempt=root.get("attempt").count(),
        provider=Provider(
            name=provider.get("name").text(),
            base_url=provider.get("baseURL").url(),
            auth=cast(Auth, provider.get("auth").one_of(get_args(Auth))),
        ),
        prices=PriceTable(
            prices={**SHIPPED, **{name: _price(price) for name, price in root.get("prices").items()}},
            unknown=cast(UnknownModels, root.get("unknownModels").one_of(get_args(UnknownModels))),
        ),
        limits=root.get("limits").optional(_limits) or Limits(),
        unsettled=frozenset(root.get("unsettled").optional(Field.texts) or ()),
        output_schema=root.get("outputSchema").optional(Field.schema),
    )


def _limits(limits: Field) -> Limits:
    return Limits(
        cost=limits.get("cost").optional(Field.money),
        tokens=limits.get("tokens").optional(Field.count),
        input_tokens=limits.get("inputTokens").optional(Field.count),
        output_tokens=limits.get("outputTokens").optional(Field.count),
    )


def _price(price: Field) -> Price:
    web_search = price.get("webSearch").optional(Field.money)
    return Price(
        input=price.get("input").money(),
        output=price.get("output").money(),
        cache_read=price.get("cacheRead").money(),
        cache_write_5m=price.get("cacheWrite5m").money(),
        cache_write_1h=price.get("cacheWrite1h").money(),
        web_search=WEB_SEARCH_DEFAULT if web_search is None else web_search,
    )
