"""What is done inside an image while it is built."""

import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path

from imagebuild.prepare import add_line, compile_folder

UNCHECKED = (1).to_bytes(4, "little")  # flags of bytecode that is never compared with its source


def test_an_entry_is_added_once(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    add_line(file, "stint", "stint:x:1:1::/tmp:/bin/bash")
    add_line(file, "agent", "agent:x:2:2::/home:/bin/bash")
    add_line(file, "stint", "stint:x:3:3::/:/bin/sh")
    assert file.read_text() == "stint:x:1:1::/tmp:/bin/bash\nagent:x:2:2::/home:/bin/bash\n"


def test_bytecode_holds_no_time_and_the_path_inside_the_image(tmp_path: Path) -> None:
    package = tmp_path / "layer/opt/code"
    package.mkdir(parents=True)
    (package / "one.py").write_text("def f():\n    return 1\n")
    assert compile_folder(str(package), str(tmp_path / "layer"))
    bytecode = (package / f"__pycache__/one.{sys.implementation.cache_tag}.pyc").read_bytes()
    assert bytecode[:8] == MAGIC_NUMBER + UNCHECKED
    assert b"/opt/code/one.py" in bytecode
    assert str(tmp_path).encode() not in bytecode


def test_code_that_does_not_compile_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def\n")
    assert not compile_folder(str(tmp_path), "/")
