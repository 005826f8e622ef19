"""The permissions of the chart, rule by rule."""

from pathlib import Path
from typing import Any

import pytest

from stint.engine.leadership import NAME
from unit.charts.conftest import static_documents

Roles = dict[str, list[dict[str, Any]]]

STINT_KINDS = {"agentsessions", "agentprofiles", "modelproviders", "ratebudgets"}


def granted(rules: list[dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    """Verbs by (group, resource)."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs.setdefault((group, resource), set()).update(rule["verbs"])
    return verbs


def test_the_chart_ships_these_cluster_roles_and_no_others(cluster_roles: Roles) -> None:
    ours = {"stint-controller", "stint-admission", "stint-certificate", "stint-release-finalizers"}
    assert set(cluster_roles) == {*ours, "stint-view", "stint-edit", "stint-admin"}


def test_no_rule_holds_a_wildcard(cluster_roles: Roles) -> None:
    for rules in cluster_roles.values():
        for rule in rules:
            assert set(rule) - {"resourceNames"} == {"apiGroups", "resources", "verbs"}
            assert not any("*" in word for words in rule.values() for word in words), rule


def test_secrets_are_read_one_by_one_and_by_the_controller_only(cluster_roles: Roles) -> None:
    assert granted(cluster_roles["stint-controller"])["", "secrets"] == {"get"}
    others = [name for name, rules in cluster_roles.items() if name != "stint-controller" and ("", "secrets") in granted(rules)]
    assert others == []


@pytest.mark.parametrize(
    "resource",
    ["pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "nodes", "serviceaccounts", "serviceaccounts/token"],
)
def test_nobody_is_given_a_way_into_pods_or_accounts(cluster_roles: Roles, resource: str) -> None:
    for rules in cluster_roles.values():
        assert ("", resource) not in granted(rules)


def test_nobody_may_change_permissions_or_impersonate(cluster_roles: Roles) -> None:
    powerful = {"rbac.authorization.k8s.io", "apiextensions.k8s.io"}
    for rules in cluster_roles.values():
        assert not {group for group, _ in granted(rules)} & powerful
        assert not {verb for verbs in granted(rules).values() for verb in verbs} & {"escalate", "bind", "impersonate"}


def test_the_controller_never_writes_a_spec(cluster_roles: Roles) -> None:
    """It may patch sessions, because of their finalizer; test_writes.py sees that it patches nothing else."""
    verbs = granted(cluster_roles["stint-controller"])
    for kind in STINT_KINDS:
        patched = set() if kind == "agentsessions" else {"patch"}
        assert not verbs["stint.dev", kind] & {"create", "update", "deletecollection", *patched}
        assert verbs["stint.dev", f"{kind}/status"] == {"patch"}


def test_the_controller_may_do_exactly_this(cluster_roles: Roles) -> None:
    """A wider permission is a decision: it shows up here first."""
    assert granted(cluster_roles["stint-controller"]) == {
        ("stint.dev", "agentsessions"): {"get", "list", "watch", "patch", "delete"},
        ("stint.dev", "agentprofiles"): {"get", "list", "watch"},
        ("stint.dev", "modelproviders"): {"get", "list", "watch"},
        ("stint.dev", "ratebudgets"): {"get", "list", "watch"},
        ("stint.dev", "agentsessions/status"): {"patch"},
        ("stint.dev", "agentprofiles/status"): {"patch"},
        ("stint.dev", "modelproviders/status"): {"patch"},
        ("stint.dev", "ratebudgets/status"): {"patch"},
        ("stint.dev", "agentsessions/finalizers"): {"update"},
        ("", "pods"): {"get", "list", "watch", "create", "delete"},
        ("", "pods/log"): {"get"},
        ("", "persistentvolumeclaims"): {"get", "create", "delete"},
        ("", "secrets"): {"get"},
        ("", "configmaps"): {"get", "create", "patch"},
        ("networking.k8s.io", "networkpolicies"): {"get", "list", "watch", "create", "patch"},
        ("", "events"): {"create"},
        ("", "namespaces"): {"list", "watch"},
    }


def test_beside_that_it_may_write_one_lease_of_its_own_namespace(charts: Path) -> None:
    documents = static_documents(charts / "stint" / "templates" / "rbac-controller.yaml")
    [role] = [document for document in documents if document["kind"] == "Role"]
    group = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    assert role["rules"] == [{**group, "verbs": ["create"]}, {**group, "resourceNames": [NAME], "verbs": ["get", "watch", "update"]}]


@pytest.mark.parametrize(("role", "verbs"), [("stint-admission", {"get"}), ("stint-certificate", {"get", "patch"})])
def test_of_webhook_configurations_only_our_own_are_touched(cluster_roles: Roles, role: str, verbs: set[str]) -> None:
    group = "admissionregistration.k8s.io"
    (rule,) = [rule for rule in cluster_roles[role] if group in rule["apiGroups"]]
    assert rule["resourceNames"] == ["stint-admission"]
    assert set(rule["verbs"]) == verbs
    others = [name for name, rules in cluster_roles.items() if any(group in each["apiGroups"] for each in rules)]
    assert sorted(others) == ["stint-admission", "stint-certificate"]


def test_admission_only_reads(cluster_roles: Roles) -> None:
    """And no sessions: what it has to know of them, the budgets' status says."""
    found = granted(cluster_roles["stint-admission"])
    assert {verb for verbs in found.values() for verb in verbs} == {"get", "list", "watch"}
    assert {resource for group, resource in found if group == "stint.dev"} == STINT_KINDS - {"agentsessions"}
    assert ("", "secrets") not in found


def test_the_hook_only_finds_sessions_and_patches_them(cluster_roles: Roles) -> None:
    assert granted(cluster_roles["stint-release-finalizers"]) == {("stint.dev", "agentsessions"): {"list", "patch"}}


def test_viewers_read_editors_run_and_only_admins_say_where_credentials_go_and_what_may_be_spent(cluster_roles: Roles) -> None:
    read = {"get", "list", "watch"}
    write = {"create", "update", "patch", "delete", "deletecollection"}

    viewers = granted(cluster_roles["stint-view"])
    assert {verb for verbs in viewers.values() for verb in verbs} == read
    assert {kind for _, kind in viewers if "/" not in kind} == STINT_KINDS
    assert granted(cluster_roles["stint-edit"]) == {("stint.dev", "agentsessions"): write, ("stint.dev", "agentprofiles"): write}
    assert granted(cluster_roles["stint-admin"]) == {("stint.dev", "modelproviders"): write, ("stint.dev", "ratebudgets"): write}
