"""The command line: `python -m devcluster up|down|status|load|kubeconfig|exec|shell` (with the folder above this one in PYTHONPATH).

Progress goes to stderr, results to stdout. Exit codes: 0, 1 for an error with a sentence, 2 for a machine or user that can't run it.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    top = argparse.ArgumentParser(prog="python -m devcluster", description="A real Kubernetes on one Linux machine, without Docker.")
    commands = top.add_subparsers(dest="command", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--name", default="stint", help="which cluster (default: stint)")
        return command

    up = add("up", "start a cluster and print the path of its kubeconfig")
    real = up.add_mutually_exclusive_group()
    real.add_argument("--nodes", type=int, default=1, metavar="N", help="real nodes, each with a kubelet and containerd of its own (default: 1)")
    real.add_argument("--control-plane-only", action="store_true", help="no real node at all; for scale tests together with --kwok")
    up.add_argument("--kwok", type=int, default=0, metavar="N", help="fake nodes, whose pods are Running at once")
    up.add_argument("--kwok-stages", type=Path, metavar="FILE", help="more stages for kwok")
    add("down", "remove a cluster without a trace")
    status = add("status", "show what runs; exit code 1 if it is not up")
    status.add_argument("--json", action="store_true", help="everything, for scripts")
    load = add("load", "import image archives (docker-archive or oci-archive) into every real node")
    load.add_argument("archives", nargs="+", type=Path, metavar="IMAGE", help="path of a tar file")
    config = add("kubeconfig", "print the path of the kubeconfig")
    config.add_argument("--inner", action="store_true", help="the one for use inside the cluster's network")
    execute = add("exec", "run a command of this machine inside the cluster's network, with KUBECONFIG set")
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD …")
    add("shell", "an interactive shell inside the cluster's network, with kubectl and helm in PATH")
    return top


def run(arguments: argparse.Namespace) -> int:
    """Carry out one command; its exit code."""
    cluster = Cluster(arguments.name)
    match arguments.command:
        case "up":
            cluster.up(0 if arguments.control_plane_only else arguments.nodes, arguments.kwok, arguments.kwok_stages)
            print(cluster.kubeconfig)
        case "down":
            cluster.down()
        case "status":
            return show_status(cluster, arguments.json)
        case "load":
            load(cluster, arguments.archives)
        case "kubeconfig":
            if not cluster.running():
                raise DevclusterError(f"Cluster {cluster.name} is not up: run `python -m devcluster up --name {cluster.name}`.")
            print(cluster.inner_kubeconfig if arguments.inner else cluster.kubeconfig)
        case "exec":
            replace_process(cluster, command_after_dashes(arguments.argv))
        case "shell":
            replace_process(cluster, [os.environ.get("SHELL", "/bin/sh")])
    return 0


def show_status(cluster: Cluster, as_json: bool) -> int:
    """The status for people or for scripts; 0 if the cluster is ready."""
    status = cluster.status()
    if as_json:
        print(json.dumps(status, indent=1))
    elif not status["running"]:
        print(f"cluster {cluster.name} is not up")
    else:
        print(f"cluster {cluster.name} at {status['server']}\nKUBECONFIG={status['kubeconfig']}\naudit log {status['audit_log']}")
        for row in status["components"]:
            state = f"pid {row['pid']}" if row["pid"] else f"not running, last exit code {row['exit']}"
            restarts = f", restarted {row['starts'] - 1} times" if row["starts"] > 1 else ""
            print(f"  {row['node'] or 'control plane':14} {row['name']:26} {state}{restarts}")
    return 0 if status["ready"] else 1


def load(cluster: Cluster, archives: list[Path]) -> None:
    """Import archives one after the other, with the time each took."""
    for archive in archives:
        start = time.monotonic()
        fresh = cluster.load(archive)
        print(f"{archive}: {'loaded' if fresh else 'there already'} ({time.monotonic() - start:.1f} s)")


def command_after_dashes(argv: list[str]) -> list[str]:
    """`-- CMD …` or `CMD …` as a command line."""
    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command:
        raise DevclusterError("Give a command to run: python -m devcluster exec -- kubectl get pods.")
    return command


def replace_process(cluster: Cluster, argv: list[str]) -> None:
    """Become the command, inside the cluster's network."""
    environment = cluster.environment()
    command = cluster.command(argv)
    sys.stdout.flush()
    os.execvpe(command[0], command, environment)


def main() -> int:
    """Entry point: errors become sentences."""
    try:
        return run(parser().parse_args())
    except DevclusterError as error:
        print(f"devcluster: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
