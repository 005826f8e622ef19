"""The demo itself: install Stint by its chart, let the mock API play the model, run examples/hello.yaml, show what came out."""

import json
import textwrap
from pathlib import Path
from typing import Any

from demonstration.choice import Sort
from demonstration.clusters import CRDS, DEMO, SYSTEM
from demonstration.errors import CannotRunHere, DemoError
from demonstration.record import Record
from demonstration.tools import Tools
from imagebuild.recipe import REPO
from steps import Steps

CHART = REPO / "charts/stint"
HELLO = REPO / "examples/hello.yaml"
SCRIPTED = "examples/try-without-a-key.yaml"
PATIENCE = "180s"
KEY = "sk-demo-the-mock-api-takes-any-key"

NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": DEMO, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
}
CREDENTIAL = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "anthropic", "namespace": DEMO},
    "stringData": {"api-key": KEY},
}
PROVIDER = {
    "apiVersion": "stint.dev/v1alpha1",
    "kind": "ModelProvider",
    "metadata": {"name": "default", "namespace": DEMO},
    "spec": {
        "endpoint": {"baseURL": f"http://mockapi.{DEMO}.svc:8080"},
        "defaultModel": "claude-sonnet-5-5",
        "prices": [
            {"model": "claude-sonnet-5-5", "input": "2", "output": "10", "cacheRead": "0.1", "cacheWrite5m": "2.5", "cacheWrite1h": "4"},
        ],
        "network": {"inCluster": {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "mockapi"}}, "port": 8080}},
    },
}


def refuse_foreign_install(tools: Tools) -> None:
    """Somebody's Stint is not ours to change."""
    if tools.get("crd", CRDS[0]):
        raise CannotRunHere(
            f"Stint is installed in this cluster already, and the demo would change it. Try it there (kubectl apply -f {HELLO.relative_to(REPO)}), "
            "or give the demo another cluster."
        )


def install(tools: Tools, images: dict[str, str], steps: Steps) -> None:
    """Stint by its chart, the mock API by its manifest; both are ready afterwards."""
    with steps.step("installing Stint by its chart", usually="10 s"):
        values = {f"images.{name}.{field}": value for name in ("operator", "agent") for field, value in image_values(images[name]).items()}
        sets = [part for key, value in values.items() for part in ("--set-string", f"{key}={value}")]
        tools.helm(
            *("upgrade", "--install", "stint", str(CHART), "--namespace", SYSTEM, "--create-namespace"),
            *("--wait", "--timeout", PATIENCE, *sets),
        )
    with steps.step(f"installing the mock API in namespace {DEMO}", usually="5 s"):
        apply(tools, NAMESPACE)
        manifest = (REPO / "images/mockapi/deploy.yaml").read_text().replace("MOCKAPI_IMAGE", images["mockapi"])
        tools.kubectl("apply", "--namespace", DEMO, "-f", "-", stdin=manifest)
        apply(tools, CREDENTIAL, PROVIDER)
        tools.kubectl("rollout", "status", "deployment/mockapi", "--namespace", DEMO, f"--timeout={PATIENCE}")


def image_values(reference: str) -> dict[str, str]:
    """A reference as the chart wants it. A colon may also stand before a registry's port, so only one after the last slash ends the name."""
    repository, at, digest = reference.partition("@")
    if at:
        return {"repository": without_tag(repository)[0], "digest": digest}
    name, tag = without_tag(repository)
    return {"repository": name, "tag": tag or "latest", "digest": ""}


def without_tag(reference: str) -> tuple[str, str]:
    head, slash, last = reference.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{head}{slash}{name}", tag


def say_hello(tools: Tools, steps: Steps) -> dict[str, Any]:
    """Run the example to its end; the session as it is then."""
    tools.kubectl("delete", "-f", str(HELLO), "--namespace", DEMO, "--ignore-not-found", "--timeout=60s")  # of the demo before
    with steps.step("kubectl apply -f examples/hello.yaml, until it ends", usually="5 s"):
        tools.kubectl("apply", "-f", str(HELLO), "--namespace", DEMO)
        try:
            tools.kubectl("wait", "agentsession/hello", "--namespace", DEMO, "--for=jsonpath={.status.completionTime}", f"--timeout={PATIENCE}")
        except DemoError as error:
            raise DemoError(f"The session did not end. {diagnosis(tools)}") from error
    session = tools.get("agentsession", "hello", "--namespace", DEMO)
    if condition(session, "Succeeded").get("status") != "True":
        raise DemoError(f"The session failed. {diagnosis(tools)}")
    return session


def diagnosis(tools: Tools) -> str:
    """What there is to know about a session that did not succeed."""
    session = tools.get("agentsession", "hello", "--namespace", DEMO)
    status = {key: session.get("status", {}).get(key) for key in ("phase", "waitingFor", "result", "conditions")}
    pods = tools.kubectl("get", "pods", "--namespace", DEMO, "-o", "wide")
    events = tools.kubectl("get", "events", "--namespace", DEMO, "--sort-by=.lastTimestamp").splitlines()[-10:]
    return "\n".join(["Its status:", json.dumps(status, indent=1), "Pods:", pods, "Events:", *events])


def condition(session: dict[str, Any], name: str) -> dict[str, Any]:
    found = [each for each in session.get("status", {}).get("conditions", []) if each["type"] == name]
    return dict(found[0]) if found else {}


def closing_words(session: dict[str, Any], record: Record, not_in_path: dict[str, str], start_seconds: float) -> str:
    """The answer, what it cost, and what to try next. `not_in_path`: where programs are that the user's shell would not find."""
    status = session["status"]
    usage = status["usage"]
    answer = "\n".join(textwrap.fill(line, 104, initial_indent="    ", subsequent_indent="    ") for line in status["result"]["text"].splitlines())
    return f"""
The answer, after {start_seconds:.0f} s in all:

{answer}

{usage["requests"]} request(s), {usage["inputTokens"]} tokens in, {usage["outputTokens"]} out; it would have cost {usage["cost"]} USD.
The real Claude Code CLI asked; a mock API answered, so no key was needed.

Try next:

{textwrap.indent(commands(record, not_in_path), "    ")}

Remove it all:  make demo-down   # but for the caches: README.md
"""


def commands(record: Record, not_in_path: dict[str, str]) -> str:
    reach = []
    if record.kubeconfig:
        reach.append(f"export KUBECONFIG={record.kubeconfig}")
    if record.context:
        reach.append(f"kubectl config use-context {record.context}")
    if not_in_path:
        folders = dict.fromkeys(str(Path(place).parent) for place in not_in_path.values())
        reach.append(f"export PATH=$PATH:{':'.join(folders)}   # {' and '.join(not_in_path)}")
    return "\n".join(
        [
            *reach,
            f"kubectl get ags -n {DEMO}",
            f"kubectl logs -n {DEMO} -l stint.dev/session=hello -c agent   # everything the CLI said",
            f"kubectl apply -n {DEMO} -f {SCRIPTED}   # the agent uses a tool",
            "kubectl explain ags.spec",
            "",
            *own_key(record.sort),
        ]
    )


def own_key(sort: Sort) -> list[str]:
    """How to go on with the real API, as far as it can be reached."""
    if sort == "embedded":
        return [
            "# With your own key: this cluster has no way to the internet, so take kind or a cluster of yours.",
            "# docs/install.md says how.",
        ]
    return [
        "# With your own key, in a namespace of its own:",
        f"helm install stint-library charts/stint-library -n {SYSTEM}   # the provider `default`, with prices",
        "kubectl create namespace mine",
        'printf %s "$ANTHROPIC_API_KEY" | kubectl create secret generic anthropic -n mine --from-file=api-key=/dev/stdin',
        "kubectl apply -n mine -f examples/hello.yaml",
    ]


def apply(tools: Tools, *objects: dict[str, Any]) -> None:
    tools.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
