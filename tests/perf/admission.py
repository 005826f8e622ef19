"""What admission adds to the creation of a session: one replica from source, with the chart's rights, webhooks and policy, before a real API server."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import yaml

from perf.admission_load import Order
from perf.bed import Bed
from perf.benchmark import Benchmark, Outcome, Setting, say
from perf.controller import ENDS_WITHIN, READY_WITHIN, ROOT
from perf.figures import Figure, percentile
from perf.manifests import SYSTEM, Json, namespace
from perf.processes import cpu_seconds, resident_mib
from stint.certificates.pair import Serving, make
from stint.certificates.secret import CONFIGURATION, secret_manifest, server_names
from stint.engine.conditions import timestamp

RATE, SECONDS, SESSIONS = 200, 25, 5_000
BUDGETS, SHARED, TEAMS, ACCOUNTS = 100, 20, 80, 50
PORT, HEALTH = 9443, 8081
TEMPLATES = ("admission-rbac", "admission-webhooks", "admission-policy")


def budgets() -> Iterator[Json]:
    """So many for the whole cluster, and one for each team; none is ever full. The status of each shows as many accounts as a status may."""
    limits = [
        {"name": "busy", "resource": "concurrency", "limit": "100000"},
        {"name": "day", "resource": "cost", "limit": "99999", "calendar": "Daily", "timeZone": "Europe/Paris"},
        {"name": "hour", "resource": "tokens", "limit": "900000000000", "window": "1h"},
    ]
    spec = {"limits": limits, "atLimit": "Reject", "reserve": {"cost": "1", "tokens": 200_000}}
    for number in range(BUDGETS):
        shared = number < SHARED
        place = SYSTEM if shared else f"team-{number - SHARED}"
        per = [("Namespace", "User")[number % 2]] if shared else ["User"]
        meta = {"name": f"budget-{number}", "namespace": place}
        yield {"apiVersion": "stint.dev/v1alpha1", "kind": "RateBudget", "metadata": meta, "spec": {**spec, "per": per}}


def statuses() -> Iterator[Json]:
    """The same objects with what a controller would have published."""
    soon = timestamp(datetime.fromtimestamp(time.time() + 1800, UTC))
    for item in budgets():
        (dimension,) = item["spec"]["per"]
        names = [f"{dimension}={'user' if dimension == 'User' else 'team'}-{number}" for number in range(ACCOUNTS)]
        told = [{"name": name, "spent": "12.5", "reserved": "3", "limit": "99999", "resetsAt": soon} for name in ("day", "hour")]
        accounts = [{"key": name, "limits": [{"name": "busy", "spent": "0", "reserved": "2", "limit": "100000"}, *told]} for name in names]
        yield {**item, "status": {"accounts": accounts, "accountCount": ACCOUNTS}}


def chart(bed: Bed, serving: Serving) -> list[Json]:
    """Rights, webhooks and policy, rendered from the chart; the webhooks lead to this machine."""
    shown = [part for template in TEMPLATES for part in ("--show-only", f"templates/{template}.yaml")]
    command = ["helm", "template", "stint", str(ROOT / "charts/stint"), "--namespace", SYSTEM, "--kube-version", "1.36.0", *shown]
    done = bed.cluster.exec(command, capture_output=True, text=True, check=True)
    found = [document for document in yaml.safe_load_all(done.stdout) if document]
    for webhook in [webhook for document in found for webhook in document.get("webhooks", ())]:
        webhook["clientConfig"]["service"]["port"] = PORT
        webhook["clientConfig"]["caBundle"] = base64.b64encode(serving.authorities).decode()
    address = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": PORT}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": CONFIGURATION, "namespace": SYSTEM}, "spec": address}
    return [service, *found]


@contextmanager
def replica(bed: Bed, folder: Path) -> Iterator[int]:
    """The admission process, ready; its pid."""
    command = ["kubectl", "create", "token", "stint-admission", "--namespace", SYSTEM, "--duration", "1h"]
    token = bed.cluster.exec(command, capture_output=True, text=True, check=True).stdout.strip()
    config = json.loads(bed.cluster.inner_kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = folder / "admission.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    environment = bed.cluster.environment({"KUBECONFIG": str(path), "STINT_SYSTEM_NAMESPACE": SYSTEM, "STINT_PORT": str(HEALTH)})
    probe = ["curl", "--silent", "--fail", "--output", "/dev/null", f"http://127.0.0.1:{HEALTH}/readyz"]
    with (folder / "admission.log").open("wb") as log:
        started = bed.cluster.command([sys.executable, "-m", "stint", "admission"])
        process = subprocess.Popen(started, env=environment, stdout=log, stderr=log, cwd=ROOT)
        try:
            deadline = time.monotonic() + READY_WITHIN
            while bed.cluster.exec(probe).returncode != 0:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"admission does not get ready:\n{(folder / 'admission.log').read_text(errors='replace')[-3000:]}")
                time.sleep(0.1)
            yield process.pid
        finally:
            process.terminate()
            process.wait(ENDS_WITHIN)


def load(bed: Bed, order: Order) -> list[float]:
    """Milliseconds of each request."""
    say(f"{order.what}: {order.count} at {order.rate:g} a second")
    environment = bed.cluster.environment({"KUBECONFIG": str(bed.cluster.user_kubeconfig("caller"))})
    command = bed.cluster.command([sys.executable, "-m", "perf.admission_load"])
    done = subprocess.run(command, env=environment, input=json.dumps(asdict(order)), capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the load failed: {done.stderr[-2000:]}")
    found: list[float] = json.loads(done.stdout)
    return found


def measure(setting: Setting) -> Outcome:
    folder = setting.folder
    asked, known = setting.size(RATE * SECONDS), setting.size(SESSIONS)
    serving = make(server_names(SYSTEM), datetime.now(UTC))
    with Bed(setting.cluster, folder) as bed:
        bed.apply(*(namespace(f"team-{number}") for number in range(TEAMS)))
        bed.apply(*budgets())
        bed.apply_status(*statuses())
        plain = load(bed, Order("create", known, RATE, "plain", TEAMS))
        bed.apply(secret_manifest(SYSTEM, serving), *chart(bed, serving))
        with replica(bed, folder) as pid:
            load(bed, Order("create", 50, 50, "warm", TEAMS))
            before = cpu_seconds(pid)
            direct = Order("review", asked, RATE, "direct", TEAMS, PORT, serving.authorities.decode(), server_names(SYSTEM)[0])
            answers = load(bed, direct)
            cpu = 1000 * (cpu_seconds(pid) - before) / asked
            created = load(bed, Order("create", asked, RATE, "guarded", TEAMS))
            resident = resident_mib(pid)
    values = {"cpu_ms": cpu, "resident_mib": resident}
    for name, found in (("answers", answers), ("plain", plain), ("created", created)):
        for percent in (50, 99):
            values[f"{name}_p{percent}_ms"] = percentile(found, percent)
    values["added_p50_ms"] = values["created_p50_ms"] - values["plain_p50_ms"]
    return Outcome(values)


ADMISSION = Benchmark(
    "admission",
    "Admission",
    f"{BUDGETS} budgets whose status shows {ACCOUNTS} accounts each: {SHARED} count the whole cluster, the others one of {TEAMS} namespaces, so that every "
    f"session is weighed by {SHARED + 1} budgets with three limits each. One replica, from source. First {SESSIONS:,} sessions are created without it, "
    f"{RATE} a second; then, with these in the cluster, both questions that the API server asks about a session (who created it, may it) are put straight "
    f"to the replica over TLS, one after the other, for {RATE} sessions a second; then sessions are created through the API server at that rate. The clock "
    "runs from the moment at which a request was due. Nothing else runs but the API server, etcd, and the load on the same two cores.",
    (
        Figure("answers_p50_ms", "both answers, p50", "ms", "lower"),
        Figure("answers_p99_ms", "both answers, p99", "ms", "lower", goal=25),
        Figure("plain_p50_ms", "POST of a session without admission, p50", "ms"),
        Figure("plain_p99_ms", "POST of a session without admission, p99", "ms"),
        Figure("created_p50_ms", "POST of a session with admission, p50", "ms", "lower"),
        Figure("created_p99_ms", "POST of a session with admission, p99", "ms", "lower"),
        Figure("added_p50_ms", "what admission adds, p50", "ms", "lower"),
        Figure("cpu_ms", "CPU of the replica per session", "ms", "lower"),
        Figure("resident_mib", "memory of the replica", "MiB", "lower"),
    ),
    measure,
)
