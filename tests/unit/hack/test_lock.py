"""What pip is asked to put into an image."""

import pytest

from imagebuild.lock import for_image, needed_by, parse, pip_platforms

LOCK = """\
# written by a tool
aiohttp==3.14.5 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via
    #   stint (pyproject.toml)
    #   kopf
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:ba
    # via click
click==8.5.1 \\
    --hash=sha256:ca
    # via kopf
kopf==1.45.2 \\
    --hash=sha256:da
    # via stint (pyproject.toml)
typing-extensions==4.16.0 ; python_full_version < '3.13' \\
    --hash=sha256:ea
    # via aiosignal
aiosignal==1.4.0 \\
    --hash=sha256:fa
    # via aiohttp
backports-zstd==1.0 ; python_full_version >= '3.13' and platform_machine == 'x86_64' \\
    --hash=sha256:ga
    # via aiohttp
"""
PINS = parse(LOCK)


def test_every_entry_is_read_with_version_hashes_and_what_brought_it_in() -> None:
    assert [pin.name for pin in PINS] == ["aiohttp", "colorama", "click", "kopf", "typing-extensions", "aiosignal", "backports-zstd"]
    aiohttp = PINS[0]
    assert aiohttp.version == "3.14.5"
    assert aiohttp.hashes == ("sha256:aa", "sha256:ab")
    assert aiohttp.via == {"stint", "kopf"}
    assert PINS[1].marker == "sys_platform == 'win32'"


def test_an_entry_is_written_without_its_marker() -> None:
    assert PINS[1].requirement() == "colorama==0.4.6 \\\n    --hash=sha256:ba"


def test_what_a_package_needs_comes_with_it_and_nothing_else() -> None:
    names = [pin.name for pin in needed_by(PINS, ["aiohttp"])]
    assert names == ["aiohttp", "typing-extensions", "aiosignal", "backports-zstd"]


def test_a_root_that_is_not_locked_is_named() -> None:
    with pytest.raises(KeyError, match="orjson"):
        needed_by(PINS, ["aiohttp", "orjson"])


def test_markers_are_judged_for_the_python_of_the_image() -> None:
    assert [pin.name for pin in for_image(PINS, "x86_64")] == ["aiohttp", "click", "kopf", "aiosignal", "backports-zstd"]
    assert "backports-zstd" not in {pin.name for pin in for_image(PINS, "aarch64")}


def test_wheels_for_every_glibc_up_to_the_image_s_own_are_taken() -> None:
    platforms = pip_platforms("x86_64")
    assert platforms[0] == "manylinux_2_41_x86_64"
    assert {"manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64"} <= set(platforms)
    assert not any("x86_64" in each for each in pip_platforms("aarch64"))
