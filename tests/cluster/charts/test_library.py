"""What helm makes of the library's chart."""



from cluster.charts.helm import NAMESPACE, Helm, named, of_kind


def test_the_library_serves_the_cluster_with_a_provider_and_profiles(helm: Helm) -> None:
    manifests = helm.template("stint-library")
    provider = named(manifests, "ModelProvider", "default")["spec"]

    assert {manifest["metadata"]["namespace"] for manifest in manifests} == {NAMESPACE}
    assert {profile["metadata"]["name"] for profile in of_kind(manifests, "AgentProfile")} == {"bug-fixer", "pr-reviewer", "code-task"}
    assert provider["credential"] == {"type": "APIKey", "secretRef": {"name": "anthropic", "key": "api-key"}}
    assert provider["prices"] == []


def test_each_object_of_the_library_can_be_left_out_or_changed(helm: Helm) -> None:
    manifests = helm.template(
        "stint-library",
        {
            "provider": {"enabled": False},
            "profiles": {"bug-fixer": {"enabled": False}, "code-task": {"spec": {"limits": {"cost": "3.00"}}}},
        },
    )
    assert {manifest["metadata"]["name"] for manifest in manifests} == {"pr-reviewer", "code-task"}
    assert named(manifests, "AgentProfile", "code-task")["spec"]["limits"] == {"cost": "3.00", "timeout": "2h"}


def test_prices_can_be_added(helm: Helm) -> None:
    own = {"input": "1", "output": "2", "cacheRead": "0", "cacheWrite5m": "1", "cacheWrite1h": "1"}
    manifests = helm.template("stint-library", {"provider": {"prices": {"our.model/v2": own, "claude-opus-5-5": None}}})
    prices = {price["model"]: price for price in named(manifests, "ModelProvider", "default")["spec"]["prices"]}
    assert prices["our.model/v2"] == {"model": "our.model/v2", **own}
    assert "claude-opus-5-5" not in prices


def test_the_notes_of_the_library_name_the_secret_that_teams_bring(helm: Helm) -> None:
    notes = helm.notes("stint-library", {"provider": {"credential": {"secret": {"name": "team-key", "key": "token"}}}})
    assert "create secret generic team-key --from-file=token=" in notes
