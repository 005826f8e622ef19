"""What helm makes of the charts, read the way the API server would: webhooks, their certificate, and the policy beside them."""

from typing import Any

import pytest

from cluster.charts.helm import NAMESPACE, Helm, Manifest, environment, named, of_kind
from stint.admission.main import registry

CONFIGURATIONS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
GUARDED = {"admission": {"enabled": False}}


def webhooks(manifests: list[Manifest]) -> list[dict[str, Any]]:
    return [webhook for kind in CONFIGURATIONS for webhook in named(manifests, kind, "stint-admission")["webhooks"]]


def test_every_webhook_has_a_handler_and_every_handler_a_webhook(default: list[Manifest]) -> None:
    asked = {(webhook["clientConfig"]["service"]["path"], webhook["rules"][0]["resources"][0]) for webhook in webhooks(default)}
    handlers = {(f"/{handler.id}", handler.selector.any_name) for handler in registry._webhooks.get_all_handlers() if handler.selector}
    assert asked == handlers


def test_webhooks_are_asked_about_our_kinds_only_and_never_for_long(default: list[Manifest]) -> None:
    for webhook in webhooks(default):
        (rule,) = webhook["rules"]
        assert (rule["apiGroups"], rule["operations"], rule["scope"]) == (["stint.dev"], ["CREATE", "UPDATE"], "Namespaced")
        assert not any("/" in resource or "*" in resource for resource in rule["resources"])
        assert (webhook["failurePolicy"], webhook["sideEffects"], webhook["timeoutSeconds"]) == ("Fail", "None", 5)


def test_writes_of_stint_itself_ask_nobody(default: list[Manifest]) -> None:
    accounts = {account["metadata"]["name"] for account in of_kind(default, "ServiceAccount")}
    for found in (*webhooks(default), named(default, "ValidatingAdmissionPolicy", "stint-agentsessions")["spec"]):
        (own,) = [condition["expression"] for condition in found["matchConditions"] if condition["name"] == "not-a-write-of-stint"]
        for account in accounts - {"stint-admission"}:
            assert f"'system:serviceaccount:{NAMESPACE}:{account}'" in own


def test_whom_to_trust_is_left_to_who_keeps_the_certificate(rendered: list[Manifest]) -> None:
    assert all("caBundle" not in webhook["clientConfig"] for webhook in webhooks(rendered))


def test_with_cert_manager_stint_keeps_its_hands_off(default: list[Manifest], extreme: list[Manifest]) -> None:
    for kind in CONFIGURATIONS:
        assert "annotations" not in named(default, kind, "stint-admission")["metadata"]
        injected = named(extreme, kind, "stint-admission")["metadata"]["annotations"]
        assert injected == {"cert-manager.io/inject-ca-from": f"{NAMESPACE}/stint-admission"}
    certificate = named(extreme, "Certificate", "stint-admission")["spec"]
    assert certificate["issuerRef"] == {"kind": "ClusterIssuer", "name": "internal"}
    assert certificate["secretName"] == "stint-admission-tls"
    assert [environment(each)["STINT_KEEP_CERTIFICATE"] for each in (default, extreme)] == ["true", "false"]
    assert of_kind(extreme, "Issuer") == []
    assert {role["metadata"]["name"] for role in of_kind(extreme, "Role")} == {"stint-admission", "stint-controller"}


def test_without_an_issuer_cert_manager_gets_one_of_the_chart(helm: Helm) -> None:
    manifests = helm.template("stint", {"admission": {"certManager": {"enabled": True}}})
    assert named(manifests, "Certificate", "stint-admission")["spec"]["issuerRef"] == {"kind": "Issuer", "name": "stint-admission"}
    assert named(manifests, "Issuer", "stint-admission")["spec"] == {"selfSigned": {}}


def test_switched_off_it_leaves_nothing_but_the_policy(helm: Helm) -> None:
    manifests = helm.template("stint", GUARDED)
    left = {manifest["kind"] for manifest in manifests if manifest["metadata"]["labels"]["app.kubernetes.io/component"] == "admission"}
    assert left == {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


@pytest.mark.parametrize(
    ("values", "version", "known"),
    [
        ({}, "1.36.0", "true"),
        ({"enabled": False}, "1.36.0", "true"),
        ({"policy": False}, "1.36.0", "true"),
        ({"enabled": False, "policy": False}, "1.36.0", "false"),
        ({"enabled": False}, "1.29.0", "false"),
    ],
)
def test_creators_are_believed_where_somebody_guards_their_names(helm: Helm, values: dict[str, Any], version: str, known: str) -> None:
    manifests = helm.template("stint", {"admission": values}, version)
    assert environment(manifests)["STINT_CREATORS_KNOWN"] == known
