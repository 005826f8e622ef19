"""Kubeconfig files: the same users at two addresses.

Outside the cluster's network the API server is reached at 127.0.0.1 and the port of the forwarder, inside at its own address. Certificates
are embedded, so that a kubeconfig can be copied.
"""

import base64
import json
from pathlib import Path


def write(path: Path, server: str, pki: Path, user: str) -> Path:
    """A kubeconfig for the certificate `user` of the folder `pki`; JSON, which is YAML."""
    cluster = {"server": server, "certificate-authority-data": _base64(pki / "ca.crt")}
    credential = {"client-certificate-data": _base64(pki / f"{user}.crt"), "client-key-data": _base64(pki / f"{user}.key")}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "devcluster", "cluster": cluster}],
        "users": [{"name": user, "user": credential}],
        "contexts": [{"name": "devcluster", "context": {"cluster": "devcluster", "user": user}}],
        "current-context": "devcluster",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=1))
    return path


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
