"""A given cluster is the user's: what is looked at before it is used, and what is removed afterwards. kubectl and helm are stand-ins."""

import json
from pathlib import Path

import pytest

from cluster.bed import OURS
from cluster.provision.given import Given, pulling
from demonstration.errors import CannotRunHere

STAND_IN = """\
#!/bin/sh
echo "{program} $*" >> {folder}/log
case "{program} $*" in
    "kubectl"*"config view"*) echo "what $KUBECONFIG says" ;;
    "kubectl get crd agentsessions.stint.dev --ignore-not-found"*) cat {folder}/crd ;;
    "kubectl get namespace"*) cat {folder}/namespace ;;
    "kubectl get agentsessions"*) cat {folder}/sessions ;;
    "helm list"*) echo stint ;;
esac
"""


class User:
    """A user's machine and cluster."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for program in ("kubectl", "helm"):
            (folder / program).write_text(STAND_IN.format(program=program, folder=folder))
            (folder / program).chmod(0o755)
        self.has("crd", "")
        self.has("namespace", "")
        self.has("sessions", "")

    def has(self, what: str, text: str) -> None:
        (self._folder / what).write_text(text)

    def has_stint(self, labels: dict[str, str]) -> None:
        self.has("crd", json.dumps({"kind": "CustomResourceDefinition"}))
        self.has("namespace", json.dumps({"metadata": {"labels": labels}}))

    def changes(self) -> list[str]:
        """Commands that change the cluster."""
        return [line for line in (self._folder / "log").read_text().splitlines() if "delete" in line or "uninstall" in line or "apply" in line]


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return User(tmp_path)


def test_a_copy_of_the_one_context_is_used_and_removed_at_the_end(user: User) -> None:
    cluster = Given("/home/me/config", "staging", {})
    cluster.start()
    copy = cluster.kubeconfig
    assert copy.read_text() == "what /home/me/config says\n"
    assert copy.parent.stat().st_mode & 0o077 == 0
    cluster.remove()
    assert not copy.parent.exists()


def test_a_cluster_with_a_stint_of_the_users_is_left_alone(user: User) -> None:
    user.has_stint({"team": "platform"})
    cluster = Given("", "", {})
    with pytest.raises(CannotRunHere, match="give them another cluster"):
        cluster.start()
    assert user.changes() == []
    assert not cluster.kubeconfig.exists()


def test_what_a_run_that_was_killed_has_left_is_taken_over(user: User) -> None:
    user.has_stint({**OURS, "kubernetes.io/metadata.name": "stint-system"})
    cluster = Given("", "", {})
    cluster.start()
    cluster.remove()


def test_sessions_go_before_the_operator_and_the_operator_before_the_kinds(user: User) -> None:
    cluster = Given("", "", {})
    cluster.start()
    user.has_stint(OURS)
    assert cluster.remove() == []
    sessions, providers, operator, kinds, _ = user.changes()
    assert "delete namespace -l stint-test=true,kubernetes.io/metadata.name!=stint-system" in sessions
    assert "delete agentsessions.stint.dev --all -n stint-system" in providers
    assert "helm uninstall stint" in operator
    assert "delete crd" in kinds


def test_the_mark_of_the_tests_goes_last_so_that_a_run_that_is_killed_leaves_nothing_that_looks_like_somebody_elses(user: User) -> None:
    cluster = Given("", "", {})
    cluster.start()
    user.has_stint(OURS)
    cluster.remove()
    assert "delete namespace -l stint-test=true " in user.changes()[-1]


def test_kinds_stay_while_there_are_objects_of_somebody_else(user: User) -> None:
    cluster = Given("", "", {})
    cluster.start()
    user.has_stint(OURS)
    user.has("sessions", "agentsession.stint.dev/precious\n")
    assert cluster.remove() == ["the CRDs are kept, because there are objects of these kinds: agentsessions.stint.dev"]
    assert not any("delete crd" in line for line in user.changes())


def test_every_node_gets_the_images_that_the_user_names(user: User) -> None:
    cluster = Given("", "", {"OPERATOR_IMAGE": "r:5000/operator:1", "AGENT_IMAGE": "r:5000/agent:1"})
    cluster.start()
    assert cluster.images(["operator", "agent"]) == {"operator": "r:5000/operator:1", "agent": "r:5000/agent:1"}
    namespace, daemons = pulling({"agent": "r:5000/agent:1"})["items"]
    assert namespace["metadata"]["labels"] == OURS
    assert [each["image"] for each in daemons["spec"]["template"]["spec"]["containers"]] == ["r:5000/agent:1"]
    cluster.remove()


def test_images_are_pulled_twice_without_the_first_call_being_in_the_way(user: User) -> None:
    cluster = Given("", "", {"SSHSERVER_IMAGE": "r/sshserver:1"})
    cluster.start()
    cluster.images(["sshserver"])
    waits, applies, _ = user.changes()
    assert "delete namespace stint-test-images --ignore-not-found" in waits
    assert "--wait=false" not in waits
    assert "apply" in applies
    cluster.remove()
