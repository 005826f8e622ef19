"""One real node: kubelet and containerd in pid, mount, uts and ipc namespaces of their own, and a kube-proxy for its network.

Process 1 of the node is a supervisor of its own. Killing it is a power loss: kubelet, containerd and every container end at the same
moment, and memory-backed folders (/run, the pods' network namespaces) are gone, while /var/lib/containerd and /var/lib/kubelet stay. The
network namespace and its kube-proxy belong to the cluster, because node1 shares them with the API server, which must outlive the node.
"""

import json
import sys
from pathlib import Path
from typing import Any

from devcluster import cgroups, network
from devcluster.components import Component, Plan, Setup
from devcluster.controlplane import API_READY
from devcluster.namespaces import in_network, unshared

SOCKET = "/run/containerd/containerd.sock"
CNI_DATA = "/run/cni"
PAUSE_IMAGE = "localhost/devcluster/pause:1"
REAL_NODE_LABEL = "devcluster.stint.dev/real"

# Kubelet sets these for the whole machine; with the value already there it leaves them alone.
KERNEL_SETTINGS = {
    "/proc/sys/kernel/panic": "10",
    "/proc/sys/kernel/panic_on_oops": "1",
    "/proc/sys/kernel/keys/root_maxkeys": "1000000",
    "/proc/sys/kernel/keys/root_maxbytes": "25000000",
    "/proc/sys/vm/overcommit_memory": "1",
    "/proc/sys/vm/panic_on_oom": "0",
}


def folder_of(state: Path, node: str) -> Path:
    """The node's own folder."""
    return state / "nodes" / node


def components(state: Path, index: int, programs: Path) -> list[Component]:
    """What the cluster's supervisor runs for this node: the node itself and its kube-proxy."""
    name = network.node_name(index)
    node = unshared([sys.executable, "-m", "devcluster.supervisor", str(folder_of(state, name) / "supervisor.json")], network=False)
    proxy = [str(programs / "kube-proxy"), f"--config={folder_of(state, name) / 'kube-proxy.json'}", f"--hostname-override={name}", "--v=2"]
    if index > 1:
        node, proxy = (in_network(network.namespace_file(index), argv) for argv in (node, proxy))
    return [Component(name, node), Component(f"kube-proxy-{name}", proxy, after=[API_READY])]


def write_config(cluster: str, state: Path, index: int, programs: Path, cni_folder: Path, snapshotter: str) -> None:
    """Everything the node reads: configurations and the plan of its supervisor."""
    name, pki = network.node_name(index), state / "pki"
    folder = folder_of(state, name)
    for child in ("containerd", "kubelet", "cni", "pod-logs"):
        (folder / child).mkdir(parents=True, exist_ok=True)
    (folder / "containerd.toml").write_text(containerd_config(cni_folder, folder / "cni", snapshotter))
    (folder / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    _write_json(folder / "cni" / "10-devcluster.conflist", network.cni_config(index, CNI_DATA))
    _write_json(folder / "kubelet.json", kubelet_config(cluster, folder, pki, index))
    _write_json(folder / "kube-proxy.json", kube_proxy_config(pki, index))
    Plan(str(folder), str(pki / "ca.crt"), setup(folder, name), node_components(folder, pki, index, programs)).write()


def setup(folder: Path, name: str) -> Setup:
    """The node's own view of the file system."""
    return Setup(
        hostname=name,
        tmpfs=["/run"],
        private=["/var/lib", "/var/log"],
        binds=[
            (str(folder / "containerd"), "/var/lib/containerd"),
            (str(folder / "kubelet"), "/var/lib/kubelet"),
            (str(folder / "pod-logs"), "/var/log/pods"),
        ],
        fixed=KERNEL_SETTINGS,
        sysctls=network.SYSCTLS,
        shared=True,
    )


def node_components(folder: Path, pki: Path, index: int, programs: Path) -> list[Component]:
    """What the node's supervisor runs."""
    name = network.node_name(index)
    kubelet = [
        str(programs / "kubelet"),
        f"--config={folder / 'kubelet.json'}",
        f"--kubeconfig={pki / f'{name}.kubeconfig'}",
        f"--hostname-override={name}",
        f"--node-ip={network.node_ip(index)}",
        f"--node-labels={REAL_NODE_LABEL}=true",
        "--v=2",
    ]
    containerd = [
        "env",
        f"PATH={programs}:/usr/sbin:/usr/bin:/sbin:/bin",
        str(programs / "containerd"),
        "-c",
        str(folder / "containerd.toml"),
    ]
    return [Component("containerd", containerd), Component("kubelet", kubelet, after=[API_READY, f"unix:{SOCKET}"])]


def kubelet_config(cluster: str, folder: Path, pki: Path, index: int) -> dict[str, Any]:
    """Quick where tests wait (leases, Secret volumes, bursts of pods), patient where a small machine is slow."""
    name = network.node_name(index)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups.kubelet_root(cluster, name),
        "enforceNodeAllocatable": ["pods"],
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "address": network.node_ip(index),
        "healthzBindAddress": "127.0.0.1",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / f"{name}.crt"),
        "tlsPrivateKeyFile": str(pki / f"{name}.key"),
        "failSwapOn": False,
        "clusterDomain": network.DOMAIN,
        "clusterDNS": [network.DNS_SERVICE_IP],
        "resolvConf": str(folder / "resolv.conf"),
        "volumePluginDir": "/run/flex-volumes",
        "maxPods": 240,
        "serializeImagePulls": False,
        "kubeAPIQPS": 200,  # 50 pods at once take 5 s; with the default limit 40 s
        "kubeAPIBurst": 400,
        "eventRecordQPS": 0,
        "nodeLeaseDurationSeconds": 10,  # renewed every 2.5 s: a lost node is noticed after 10 s
        "syncFrequency": "5s",  # how often Secret volumes are refreshed
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def kube_proxy_config(pki: Path, index: int) -> dict[str, Any]:
    """iptables mode; connection tracking limits belong to the whole machine and are left alone."""
    address = network.node_ip(index)
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(pki / "kube-proxy.kubeconfig")},
        "clusterCIDR": network.POD_RANGE,
        "bindAddress": address,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{address}/32"],
        "iptables": {"minSyncPeriod": "100ms"},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def containerd_config(cni_folder: Path, cni_config: Path, snapshotter: str) -> str:
    """`restrict_oom_score_adj`: root without CAP_SYS_RESOURCE may not lower the score."""
    return f"""version = 4
imports = []
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", "io.containerd.nri.v1.nri",
]
[plugins.'io.containerd.metadata.v1.bolt']
  no_sync = true
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "{snapshotter}"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "runc"
      SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{cni_folder}"]
    conf_dir = "{cni_config}"
"""


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))
