"""What the benchmarks create must be what they say it is."""

import json

import yaml

from perf.bed import STAGES
from perf.manifests import COLLECTIONS, NOT_DONE, Json, manifest
from perf.real_manifests import bare, prompt, same_shape, talk
from stint.api.session import SessionSpec
from stint.sessions.names import MANAGED_BY, MANAGED_BY_LABEL

RUN = {"conversation": "11111111-1111-5111-8111-111111111111", "prompt": prompt(), "agent": {"model": "claude-x"}}
POD: Json = {
    "metadata": {
        "name": "warm-1", "namespace": "t", "uid": "u", "labels": {"app.kubernetes.io/managed-by": "stint"}, "ownerReferences": [{"name": "warm"}],
        "annotations": {"stint.dev/run": json.dumps(RUN), "stint.dev/gateway": "{}"},
    },
    "spec": {"nodeName": "node1", "containers": [{"name": "agent", "image": "agent:1"}], "initContainers": [{"name": "gateway", "image": "op:1"}]},
}  # fmt: skip


def test_every_kind_has_a_collection_and_an_end() -> None:
    assert set(COLLECTIONS) == set(NOT_DONE)
    assert all(manifest(kind, "x")["kind"] == kind for kind in COLLECTIONS)


def test_a_session_of_the_load_is_ephemeral_and_can_be_read() -> None:
    spec = SessionSpec.read(manifest("AgentSession", "x")["spec"])
    assert spec.workspace.ephemeral


def test_sessions_and_jobs_end_by_a_stage_each() -> None:
    stages = list(yaml.safe_load_all(STAGES.read_text()))
    job = manifest("Job", "x")["spec"]["template"]["metadata"]["labels"]
    assert [stage["spec"]["selector"]["matchLabels"] for stage in stages] == [{MANAGED_BY_LABEL: MANAGED_BY}, job]
    assert len({stage["spec"]["delay"]["durationMilliseconds"] for stage in stages}) == 1


def test_a_pod_of_the_same_shape_belongs_to_nobody_and_talks_for_itself() -> None:
    pod, conversation = same_shape(POD, "shape")
    assert pod["metadata"].keys() == {"name", "namespace", "annotations"}
    assert pod["spec"] == {key: value for key, value in POD["spec"].items() if key != "nodeName"}
    assert json.loads(pod["metadata"]["annotations"]["stint.dev/run"])["conversation"] == conversation != RUN["conversation"]


def test_a_bare_pod_runs_the_same_cli_with_the_same_prompt_and_nothing_else() -> None:
    pod, conversation = bare(talk(POD), "t", "bare", "http://mock", "key")
    (container,) = pod["spec"]["containers"]
    assert container["image"] == "agent:1"
    assert container["command"][-1] == prompt()
    assert f"--session-id={conversation}" in container["command"]
    assert "--model=claude-x" in container["command"]
    assert "initContainers" not in pod["spec"]
