"""Values for the chart that are as far from the shipped ones as can be."""

from typing import Any

EXTREME: dict[str, Any] = {
    "images": {
        "operator": {"repository": "registry.example:5000/team/stint-operator", "digest": "sha256:" + "a" * 64},
        "agent": {"repository": "registry.example:5000/team/stint-agent", "tag": "2.1.329"},
        "pullPolicy": "Always",
        "pullSecrets": [{"name": "registry"}],
    },
    "crds": {"keep": False},
    "sessions": {
        "defaultLimits": {"cost": "0.01"},
        "imagePullSecrets": ["registry"],
        "unreachableTolerationSeconds": 0,
        "resources": {"agent": {"requests": {"cpu": "2"}, "limits": {"memory": "4Gi", "example.com/gpu": 1}}, "gateway": {}},
    },
    "controller": {
        "replicas": 0,
        "workers": 256,
        "logLevel": "debug",
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "control-plane", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        "podLabels": {"team": "platform", "app.kubernetes.io/name": "something-else"},
        "podAnnotations": {"example.com/note": "true"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    },
    "admission": {
        "replicas": 3,
        "policy": False,
        "certManager": {"enabled": True, "issuerRef": {"kind": "ClusterIssuer", "name": "internal"}},
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "control-plane", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        "podLabels": {"team": "platform", "app.kubernetes.io/component": "something-else"},
        "podAnnotations": {"example.com/note": "true"},
    },
    "serviceAccount": {"annotations": {"example.com/role": "stint"}},
    "service": {"annotations": {"prometheus.io/scrape": "true"}},
    "podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"},
    "monitoring": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "Stint"}},
    },
    "networkPolicy": {
        "dnsPorts": [1053],
        "sessions": {"blockedCIDRs": [], "extraEgress": [{"ports": [{"port": 9418}]}]},
        "controller": {
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": {
                "apiServer": {"cidrs": ["192.0.2.1/32"], "ports": [8443]},
                "dnsPeers": [{"ipBlock": {"cidr": "169.254.20.10/32"}}],
                "extra": [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}],
            },
        },
    },
}
BARE: dict[str, Any] = {
    "crds": {"install": False},
    "admission": {"enabled": False, "policy": False},
    "rbac": {"aggregatedRoles": False},
    "service": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "uninstall": {"releaseFinalizers": False},
    "networkPolicy": {"sessions": {"enabled": False}, "controller": {"enabled": False}},
}
