"""The Secret that holds the serving certificate, and the `caBundle`s that say whom to trust: how they are read and written."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from stint.certificates.pair import Serving
from stint.kube.resources import Resource

SECRET = "stint-admission-tls"  # noqa: S105 - its name
CONFIGURATION = "stint-admission"
"""Name of both webhook configurations, and of the Service."""
MUTATING = Resource("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations")
VALIDATING = Resource("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations")
CONFIGURATIONS = (MUTATING, VALIDATING)
AUTHORITIES, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"


def server_names(namespace: str) -> tuple[str, ...]:
    """What the API server calls the webhook; it checks the first."""
    return (f"{CONFIGURATION}.{namespace}.svc", f"{CONFIGURATION}.{namespace}")


def read_secret(item: Mapping[str, Any]) -> Serving:
    """What a Secret holds; empty where there is nothing, or no base64."""
    data = item.get("data") or {}
    return Serving(*(_decoded(data.get(name)) for name in (AUTHORITIES, CERTIFICATE, KEY)))


def secret_manifest(namespace: str, serving: Serving) -> dict[str, Any]:
    """The Secret to create. Of the type of certificates, and with the keys that cert-manager uses."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": SECRET,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "stint", "app.kubernetes.io/component": "admission", "app.kubernetes.io/managed-by": "stint"},
        },
        "data": secret_data(serving),
    }


def secret_data(serving: Serving) -> dict[str, str]:
    held = {AUTHORITIES: serving.authorities, CERTIFICATE: serving.certificate, KEY: serving.key}
    return {name: base64.b64encode(value).decode() for name, value in held.items()}


def bundles(configuration: Mapping[str, Any]) -> Sequence[bytes]:
    """The `caBundle` of each webhook of a configuration."""
    return tuple(_decoded(webhook["clientConfig"].get("caBundle")) for webhook in configuration.get("webhooks") or ())


def bundle_operations(configuration: Mapping[str, Any], authorities: bytes) -> list[dict[str, Any]]:
    """A JSON patch that puts the authorities into each webhook, if the configuration is still this very version."""
    bundle = base64.b64encode(authorities).decode()
    webhooks = range(len(configuration.get("webhooks") or ()))
    changes = [{"op": "add", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": bundle} for number in webhooks]
    return [{"op": "replace", "path": "/metadata/resourceVersion", "value": configuration["metadata"]["resourceVersion"]}, *changes]


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except binascii.Error:
        return b""
