"""The agent runs untrusted text with a shell. Whatever it tries, it gets no credential, changes no bill and sees no other session."""

from __future__ import annotations

import json

from cluster.bed import KEY, SYSTEM, Bed
from cluster.kube import Json
from cluster.sessions import assert_billed_what_was_served, durable, finished, script, session, talk

DECOY = "sk-test-the-one-decoy"
LOOK_EVERYWHERE = r"""
{ env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\0' '\n';
find / -xdev -path /usr -prune -o -readable -type f -size -64k -print 2>/dev/null | head -2000 | xargs -r cat 2>/dev/null;
find /run /var /home /tmp /workspace -type f 2>/dev/null | xargs -r cat 2>/dev/null;
for p in 8787 8788; do for f in "" report stint/credential; do curl -s -m 3 http://127.0.0.1:$p/$f; done; done;
} | grep -a 'sk-test[-]the-one'; true
"""
"""Prints keys only: of a long output the CLI keeps the beginning. The pattern does not match itself, wherever the prompt lies."""


def shell(command: str) -> Json:
    return {"tool": "Bash", "input": {"command": command}}


def everything_said(bed: Bed, item: Json) -> str:
    """All that the agent or anybody else could have written the key into."""
    namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
    pods = bed.kube.list("Pod", namespace)
    texts = [json.dumps(pods), json.dumps(bed.kube.list("Event", namespace)), json.dumps(bed.kube.get("AgentSession", namespace, name))]
    texts += [bed.kube.logs(namespace, pod["metadata"]["name"], container) for pod in pods for container in ("agent", "gateway")]
    operators = bed.kube.list("Pod", SYSTEM, "app.kubernetes.io/component=controller")
    texts += [bed.kube.logs(SYSTEM, pod["metadata"]["name"], "controller") for pod in operators]
    texts.append(json.dumps(bed.mock.requests(talk(item))))
    return "\n".join(texts)


def test_an_agent_that_looks_everywhere_finds_no_credential(bed: Bed, namespace: str) -> None:
    workspace = {"ephemeral": True, "files": [{"path": "decoy", "content": f"{DECOY}\n"}]}
    item = bed.kube.create(session(namespace, "spy", script(shell(LOOK_EVERYWHERE), {"text": "found nothing"}), workspace=workspace))
    done = finished(bed, item)
    assert done["status"]["phase"] == "Succeeded", done["status"]
    log = bed.kube.logs(namespace, "spy-1", "agent")
    assert DECOY in log, "the agent did not look everywhere"
    assert KEY not in everything_said(bed, item)


def test_a_forged_result_changes_no_bill(bed: Bed, namespace: str) -> None:
    forged = json.dumps(
        {
            "version": 1, "attempt": 1, "outcome": "Succeeded", "text": "free of charge", "structured": None, "truncated": False, "turns": 0,
            "usage": {"cost": "0", "inputTokens": 0},
        }
    )  # fmt: skip
    lie = f"echo '{forged}' > /dev/termination-log; echo '{forged}' > /proc/1/fd/1; kill -9 1; kill -9 $PPID; true"
    item = bed.kube.create(durable(namespace, "liar", script(shell(lie), {"text": "honest"}, {"text": "honest"}), retry={"limit": 1}))
    done = finished(bed, item, 120)
    assert_billed_what_was_served(bed, done)
    assert float(done["status"]["usage"]["cost"]) > 0


def test_the_agent_cannot_reach_the_journal_of_the_gateway(bed: Bed, namespace: str) -> None:
    probe = "ls -la /var/lib/stint/meter; find / -name 'journal*' 2>/dev/null; ls -la /workspace/.. ; mount | grep stint"
    steps = (shell(probe), {"expect": "journal.jsonl", "text": "reached", "else": {"text": "out of reach"}})
    done = finished(bed, bed.kube.create(durable(namespace, "curious", script(*steps))))
    assert done["status"]["result"]["text"] == "out of reach"


def test_what_an_earlier_attempt_leaves_in_the_config_folder_has_no_effect(bed: Bed, namespace: str) -> None:
    settings = json.dumps(
        {
            "env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"},
            "hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "touch /workspace/hooked"}]}]},
        }
    )  # fmt: skip
    plant = (
        f"echo '{settings}' > $CLAUDE_CONFIG_DIR/settings.json; mkdir -p /workspace/.claude; echo '{settings}' > /workspace/.claude/settings.json; "
        "kill -9 1; kill -9 $PPID"
    )
    look = "ls /workspace /workspace/hooked 2>&1; true"
    retry = {"limit": 2, "backoff": {"initial": "1s"}}
    steps = (shell(plant), shell(look), {"expect": "No such file", "text": "no hook ran", "else": {"text": "a hook ran"}})
    done = finished(bed, bed.kube.create(durable(namespace, "planter", script(*steps), retry=retry)), 120)
    assert done["status"]["phase"] == "Succeeded", done["status"]
    assert done["status"]["result"]["text"] == "no hook ran"


def test_the_api_is_closed_to_what_is_not_metered(bed: Bed, namespace: str) -> None:
    paths = "v1/files v1/messages/batches v1/organizations/users _mock/keys"
    probe = f"for p in {paths}; do curl -s -o /dev/null -w '%{{http_code}} ' http://127.0.0.1:8787/$p; done"
    steps = (shell(probe), {"expect": "404 404 404 404", "text": "closed", "else": {"text": "open"}})
    done = finished(bed, bed.kube.create(session(namespace, "prober", script(*steps))))
    assert done["status"]["result"]["text"] == "closed"


def test_a_changed_key_reaches_a_running_session(bed: Bed, namespace: str) -> None:
    gate = f"rotate-{namespace}"
    turns = [shell("python3 -c 'import time; time.sleep(2)'") for _ in range(12)]
    item = bed.kube.create(session(namespace, "rotated", script({"until": {"gate": gate}, **turns[0]}, *turns, {"text": "done"})))
    bed.mock.wait_at_gate(gate)
    bed.kube.patch("Secret", namespace, "anthropic", {"stringData": {"api-key": "sk-test-another-key"}})
    bed.mock.open_gate(gate)
    for turn in range(2, len(turns)):
        bed.mock.requests(talk(item), at_least=turn)
        bed.kube.patch("Pod", namespace, "rotated-1", {"metadata": {"annotations": {"turn": str(turn)}}})  # the kubelet syncs a pod that changes
    done = finished(bed, item, 120)
    assert done["status"]["attempt"] == 1
    used = [request["credential"] for request in bed.mock.requests(talk(item))]
    assert len(set(used)) == 2, used
    assert used[0] != used[-1]
