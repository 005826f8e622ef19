"""The program inside the agent pod: it prepares the workspace, supervises the Claude Code CLI and says how the attempt ended.

Only the standard library is used: the image then holds nothing but Python, git and the CLI, and the program starts in a few
milliseconds. What it reads and writes is described in `docs/reference/pod-contract.md`.
"""

VERSION = 1
"""Version of every document that is read or written here."""
