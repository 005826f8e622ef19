"""How an image's reference reaches the chart."""

import pytest

from cluster.bed import chart_values

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("reference", "repository", "tag", "digest"),
    [
        ("stint/operator:1", "stint/operator", "1", ""),
        ("registry:5000/operator:1", "registry:5000/operator", "1", ""),
        ("registry:5000/operator", "registry:5000/operator", "latest", ""),
        (f"registry:5000/operator@{DIGEST}", "registry:5000/operator", "latest", DIGEST),
        (f"registry:5000/operator:1@{DIGEST}", "registry:5000/operator", "1", DIGEST),
    ],
)
def test_a_reference_is_taken_apart_for_the_chart(reference: str, repository: str, tag: str, digest: str) -> None:
    assert chart_values(reference) == {"repository": repository, "tag": tag, "digest": digest}
