"""What the demo hands to helm, and what it says at the end."""

from pathlib import Path

import pytest

from demonstration.record import Record, forget, kubeconfig_of, load, save
from demonstration.story import closing_words, image_values

SESSION = {
    "status": {
        "result": {"text": "Hello from the mock."},
        "usage": {"requests": 1, "inputTokens": 12, "outputTokens": 3, "cost": "0.000054"},
    }
}


@pytest.mark.parametrize(
    ("reference", "values"),
    [
        ("localhost/stint/operator:abc", {"repository": "localhost/stint/operator", "tag": "abc", "digest": ""}),
        ("registry.example:5000/stint/operator", {"repository": "registry.example:5000/stint/operator", "tag": "latest", "digest": ""}),
        ("registry.example:5000/stint/operator:1", {"repository": "registry.example:5000/stint/operator", "tag": "1", "digest": ""}),
        ("registry.example/operator:1@sha256:ff", {"repository": "registry.example/operator", "digest": "sha256:ff"}),
    ],
)
def test_a_reference_becomes_values_of_the_chart(reference: str, values: dict[str, str]) -> None:
    assert image_values(reference) == values


def test_the_closing_words_hold_answer_cost_and_the_way_to_the_cluster() -> None:
    words = closing_words(SESSION, Record("embedded", "stint", "/state/kubeconfig", ""), {"kubectl": "/cache/bin/kubectl", "helm": "/cache/bin/helm"}, 12.4)
    assert "Hello from the mock." in words
    assert "0.000054 USD" in words
    assert "export KUBECONFIG=/state/kubeconfig" in words
    assert "export PATH=$PATH:/cache/bin   # kubectl and helm" in words
    assert "kubectl get ags -n stint-demo" in words
    assert "make demo-down" in words
    assert "no way to the internet" in words


def test_a_given_cluster_needs_no_kubeconfig_line() -> None:
    words = closing_words(SESSION, Record("given", "stint", "", "staging"), {}, 1)
    assert "KUBECONFIG" not in words
    assert "kubectl config use-context staging" in words
    assert "PATH" not in words
    assert "helm install stint-library" in words


def test_helm_is_named_too_when_it_alone_is_not_in_path() -> None:
    words = closing_words(SESSION, Record("embedded", "stint", "/state/kubeconfig", ""), {"helm": "/cache/bin/helm"}, 1)
    assert "export PATH=$PATH:/cache/bin   # helm" in words


def test_what_the_demo_made_is_remembered_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    record = Record("kind", "stint", str(kubeconfig_of("stint")), "")
    assert load("stint") is None
    save(record)
    assert load("stint") == record
    assert load("another") is None
    forget("stint")
    assert load("stint") is None
