"""An image gets a new tag when something in it changes, and only then."""

import os
import shutil
from pathlib import Path

import pytest

from imagebuild import recipe
from imagebuild.errors import BuildError

MACHINE = recipe.machine_named("x86_64")
LOCK = """\
aiohttp==3.14.5 \\
    --hash=sha256:aa
    # via stint (pyproject.toml)
kopf==1.45.2 \\
    --hash=sha256:bb
    # via stint (pyproject.toml)
orjson==3.13.0 \\
    --hash=sha256:cc
    # via stint (pyproject.toml)
"""
AGENT_FILE = 'ARG BASE\nFROM ${BASE}\nARG PACKAGES="git jq"\n'


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout in place of this one."""
    files = {
        "requirements.lock": LOCK,
        "operator/stint/__init__.py": "",
        "operator/stint/main.py": "print(1)\n",
        "images/operator/Dockerfile": "FROM scratch\n",
        "images/agent/Dockerfile": AGENT_FILE,
        "images/agent/cli-version": "1.2.3\n",
        "images/agent/cli-integrity": "x64 sha512-aaaa\narm64 sha512-bbbb\n",
        "images/agent/managed-settings.json": "{}\n",
        "images/agent/stint_runner/__init__.py": "",
        "images/mockapi/Dockerfile": "FROM scratch\n",
        "images/mockapi/mockapi/__init__.py": "",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(recipe, "REPO", tmp_path)
    return tmp_path


def stem(name: str) -> str:
    image = recipe.IMAGES[name]
    return recipe.stem_hash(image, MACHINE, recipe.base_hash(image, MACHINE))


def tag(name: str) -> str:
    return recipe.image_hash(recipe.IMAGES[name], stem(name))


def tags() -> dict[str, str]:
    return {name: tag(name) for name in recipe.IMAGES}


def changed(before: dict[str, str]) -> set[str]:
    return {name for name, value in tags().items() if value != before[name]}


def test_nothing_changed_means_the_same_tags() -> None:
    assert tags() == tags()


def test_a_tag_is_twelve_hexadecimal_digits() -> None:
    assert all(len(each) == 12 and int(each, 16) >= 0 for each in tags().values())


def test_touching_a_file_without_changing_it_keeps_the_tag(checkout: Path) -> None:
    before = tags()
    os.utime(checkout / "operator/stint/main.py", (1, 1))
    assert changed(before) == set()


def test_changed_code_gives_a_new_tag_on_the_old_stem(checkout: Path) -> None:
    before, old_stem = tags(), stem("operator")
    (checkout / "operator/stint/main.py").write_text("print(2)\n")
    assert changed(before) == {"operator"}
    assert stem("operator") == old_stem


def test_a_renamed_file_gives_a_new_tag(checkout: Path) -> None:
    before = tags()
    (checkout / "operator/stint/main.py").rename(checkout / "operator/stint/other.py")
    assert changed(before) == {"operator"}


def test_a_file_made_executable_gives_a_new_tag(checkout: Path) -> None:
    before = tags()
    (checkout / "images/agent/stint_runner/__init__.py").chmod(0o755)
    assert changed(before) == {"agent"}


def test_bytecode_beside_the_sources_is_not_part_of_an_image(checkout: Path) -> None:
    before = tags()
    (checkout / "operator/stint/__pycache__").mkdir()
    (checkout / "operator/stint/__pycache__/main.cpython-311.pyc").write_bytes(b"x")
    (checkout / "operator/stint/stray.pyc").write_bytes(b"x")
    assert changed(before) == set()


def test_another_cli_changes_the_agent_only(checkout: Path) -> None:
    before = tags()
    (checkout / "images/agent/cli-version").write_text("1.2.4\n")
    assert changed(before) == {"agent"}


def test_another_checksum_of_the_cli_changes_the_agent_only(checkout: Path) -> None:
    before = tags()
    (checkout / "images/agent/cli-integrity").write_text("x64 sha512-cccc\n")
    assert changed(before) == {"agent"}


def test_another_tool_makes_another_base_for_the_agent_only(checkout: Path) -> None:
    bases = {name: recipe.base_hash(image, MACHINE) for name, image in recipe.IMAGES.items()}
    (checkout / "images/agent/Dockerfile").write_text(AGENT_FILE.replace("jq", "jq less"))
    assert {name for name, image in recipe.IMAGES.items() if recipe.base_hash(image, MACHINE) != bases[name]} == {"agent"}


def test_an_image_for_tests_has_tools_of_its_own_and_is_no_part_of_stint(checkout: Path) -> None:
    image = recipe.TEST_IMAGES["sshserver"]
    (checkout / "images/sshserver").mkdir()
    recipe.dockerfile(image).write_text('ARG PACKAGES="git openssh-server"\n')
    assert recipe.tools(image) == ["git", "openssh-server"]
    assert recipe.base_hash(image, MACHINE) != recipe.base_hash(recipe.IMAGES["agent"], MACHINE)
    assert image.name not in recipe.IMAGES


def test_a_dependency_changes_the_images_that_hold_it(checkout: Path) -> None:
    before = tags()
    (checkout / "requirements.lock").write_text(LOCK.replace("1.45.2", "1.45.3"))
    assert changed(before) == {"operator"}
    before = tags()
    (checkout / "requirements.lock").write_text(LOCK.replace("3.13.0", "3.13.1"))
    assert changed(before) == {"operator", "mockapi"}


def test_a_dockerfile_changes_its_image_only(checkout: Path) -> None:
    before = tags()
    (checkout / "images/mockapi/Dockerfile").write_text("FROM scratch\nUSER 1\n")
    assert changed(before) == {"mockapi"}


def test_another_processor_or_base_makes_another_image() -> None:
    image = recipe.IMAGES["operator"]
    here = recipe.stem_hash(image, MACHINE, "base")
    assert here != recipe.stem_hash(image, recipe.machine_named("aarch64"), "base")
    assert here != recipe.stem_hash(image, MACHINE, "another")


def test_code_that_is_not_there_is_named(checkout: Path) -> None:
    shutil.rmtree(checkout / "images/mockapi/mockapi")
    with pytest.raises(BuildError, match="mockapi needs images/mockapi/mockapi, which does not exist"):
        tag("mockapi")


def test_a_processor_without_a_cli_is_refused() -> None:
    with pytest.raises(BuildError, match="no Claude Code CLI for the processor 'riscv64'"):
        recipe.machine_named("riscv64")


def test_a_missing_checksum_says_how_to_add_it(checkout: Path) -> None:
    (checkout / "images/agent/cli-integrity").write_text("arm64 sha512-bbbb\n")
    with pytest.raises(BuildError, match=r"images\.py pin 1\.2\.3"):
        tag("agent")


def test_managed_settings_are_read_only_and_the_code_is_sorted() -> None:
    files = recipe.code_files(recipe.IMAGES["agent"])
    assert [(file.target, file.mode) for file in files] == [
        ("etc/claude-code/managed-settings.json", 0o444),
        ("opt/stint/code/stint_runner/__init__.py", 0o644),
    ]


def test_the_image_with_the_cli_is_the_one_that_is_not_published() -> None:
    assert {image.name for image in recipe.IMAGES.values() if not image.public} == {"agent"}
    assert {image.name for image in recipe.IMAGES.values() if image.with_cli} == {"agent"}
