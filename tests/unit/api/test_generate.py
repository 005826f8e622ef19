"""`make generate` and `make verify`: the same models give the same bytes, and what lies in the repository is what they give."""

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

generate: Any = import_module("generate")  # hack/generate.py, a script and no package


def test_the_repository_is_up_to_date() -> None:
    assert list(generate.stale(generate.ROOT)) == [], "run `make generate`"


def test_the_output_is_deterministic() -> None:
    assert generate.outputs() == generate.outputs()


def test_a_crd_is_yaml_that_says_where_it_comes_from() -> None:
    for path, text in generate.outputs().items():
        assert "make generate" in text.splitlines()[0]
        if path.suffix == ".yaml":
            assert f"{yaml.safe_load(text)['metadata']['name']}.yaml" == path.name
            assert "&id" not in text, "an anchor"


def test_a_changed_and_a_left_over_file_are_stale(tmp_path: Path) -> None:
    for path, text in generate.outputs().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert generate.stale(tmp_path) == {}

    changed = Path("crds/agentsessions.stint.dev.yaml")
    (tmp_path / changed).write_text((tmp_path / changed).read_text().replace("maximum: 20\n", "maximum: 21\n"))
    shutil.copy(tmp_path / changed, tmp_path / "crds/old.yaml")

    found = generate.stale(tmp_path)
    assert set(found) == {changed, Path("crds/old.yaml")}
    assert "maximum: 21" in found[changed]


def test_check_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["generate.py", "--check"])
    assert generate.main() == 1
    assert "run `make generate`" in capsys.readouterr().err

    monkeypatch.setattr("sys.argv", ["generate.py"])
    assert generate.main() == 0
    monkeypatch.setattr("sys.argv", ["generate.py", "--check"])
    assert generate.main() == 0
