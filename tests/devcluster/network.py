"""The addresses of a cluster and the `ip` commands that make its network.

All clusters use the same addresses: each has network namespaces of its own, and none has a route to or from the machine.

    network namespace of the control plane and of node1          network namespace node2
      lo                                                           lo
      nodes  (bridge) 172.30.0.1/24 ── node2 (veth) ────────────── eth0 172.30.0.2/24
      pods   (bridge) 10.244.0.1/24 ── pods of node1               pods (bridge) 10.244.1.1/24 ── pods of node2

There is no default route, so that whatever is sent to the outside fails at once. Service addresses do get a route: without one, `connect`
fails before kube-proxy's rules see the packet (the API server calling a webhook is such a case).
"""

CONTROL_PLANE_IP = "172.30.0.1"
API_PORT = 6443
SERVICE_RANGE = "10.96.0.0/16"
POD_RANGE = "10.244.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_SERVICE_IP = "10.96.0.10"
DOMAIN = "cluster.local"
MAX_NODES = 9

SYSCTLS = {"/proc/sys/net/ipv4/ip_forward": "1", "/proc/sys/net/bridge/bridge-nf-call-iptables": "1"}


def inner_server() -> str:
    """The API server as seen from inside."""
    return f"https://{CONTROL_PLANE_IP}:{API_PORT}"


def node_name(index: int) -> str:
    """Nodes are numbered from 1."""
    return f"node{index}"


def node_names(count: int) -> list[str]:
    """The real nodes of a cluster with `count` of them."""
    return [node_name(index) for index in range(1, count + 1)]


def node_ip(index: int) -> str:
    """node1 shares the address of the control plane."""
    return f"172.30.0.{index}"


def pod_subnet(index: int) -> str:
    """The pods of one node."""
    return f"10.244.{index - 1}.0/24"


def namespace_file(index: int) -> str:
    """Where the network namespace of a further node is mounted. It outlives the node: a power loss doesn't unplug the cable."""
    return f"/run/netns/{node_name(index)}"


def commands(nodes: int) -> list[list[str]]:
    """What the init of the cluster runs to make the network for `nodes` real nodes."""
    control_plane = [
        "link set lo up",
        "link add nodes type bridge",
        f"addr add {CONTROL_PLANE_IP}/24 dev nodes",
        "link set nodes up",
        f"route add {SERVICE_RANGE} dev nodes src {CONTROL_PLANE_IP}",
    ]
    steps = [_ip(line) for line in control_plane]
    for index in range(2, nodes + 1):
        name = node_name(index)
        steps += [
            _ip(f"netns add {name}"),
            _ip(f"link add {name} type veth peer name eth0 netns {name}"),
            _ip(f"link set {name} master nodes up"),
            _ip(f"route add {pod_subnet(index)} via {node_ip(index)}"),
        ]
        inside = [
            "link set lo up",
            f"addr add {node_ip(index)}/24 dev eth0",
            "link set eth0 up",
            f"route add {SERVICE_RANGE} via {CONTROL_PLANE_IP}",
            *(f"route add {pod_subnet(other)} via {node_ip(other)}" for other in range(1, nodes + 1) if other != index),
        ]
        steps += [_ip(line, "-n", name) for line in inside]
    return steps


def resolv_conf() -> str:
    """Name resolution for programs that `exec` runs in the cluster's network."""
    return f"nameserver {DNS_SERVICE_IP}\nsearch default.svc.{DOMAIN} svc.{DOMAIN} {DOMAIN}\noptions ndots:5\n"


def cni_config(index: int, data: str) -> dict[str, object]:
    """The pod network of one node: a bridge, addresses kept in the folder `data`."""
    ipam = {"type": "host-local", "dataDir": data, "ranges": [[{"subnet": pod_subnet(index)}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "ipMasq": False, "hairpinMode": True, "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": "devcluster", "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]}


def _ip(line: str, *options: str) -> list[str]:
    return ["ip", *options, *line.split()]
