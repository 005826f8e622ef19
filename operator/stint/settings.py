"""Settings of the operator's processes, from environment variables named ``STINT_…`` (set by the chart)."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, SettingsConfigDict

PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]


class NetworkPolicySettings(BaseModel):
    """What agent pods may reach (chart values under ``networkPolicy``)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    enabled: bool = True
    blocked_cidrs: list[str] = Field(default=PRIVATE_RANGES, alias="blockedCIDRs")
    """Ranges that agents never reach directly: the cluster's own, and the cloud's metadata address (169.254.169.254)."""
    controller_selector: dict[str, Any] = {"app.kubernetes.io/name": "stint", "app.kubernetes.io/component": "controller"}
    dns_ports: list[int] = [53, 5353]
    """Ports of the DNS pods (a policy sees the pod's port, not the Service's)."""
    extra_egress: list[dict[str, Any]] = []


class Settings(BaseSettings):
    """Every knob of controller and admission; defaults are what the chart sets, except for the images, which have none."""

    model_config = SettingsConfigDict(env_prefix="STINT_")

    system_namespace: str = "stint-system"
    agent_image: str = "stint-agent:dev"
    gateway_image: str = "stint-operator:dev"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: list[str] = []
    workers: int = 16
    log_level: str = "INFO"
    port: int = 8080
    default_cost_limit: str = "5.00"
    """USD. A session that names no cost limit gets this one: no session is without a limit."""
    unreachable_toleration_seconds: int = 60
    reference_recheck_seconds: float = 60.0
    """How often a missing Secret or ConfigMap is looked for again."""
    creators_known: bool = False
    """Whether `stint.dev/created-by` is guarded, by webhook or policy, and so can be believed."""
    keep_certificate: bool = False
    """Whether the leader makes and renews the certificate of the admission webhook."""
    network_policy: NetworkPolicySettings = NetworkPolicySettings()
    agent_resources: dict[str, Any] = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}
    gateway_resources: dict[str, Any] = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "192Mi"}}


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
