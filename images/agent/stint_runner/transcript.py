"""Whether there is a conversation to go on with.

The CLI refuses `--resume` of a conversation it does not know, and `--session-id` of one it knows; a pod that was killed early may
have left a transcript in which nobody ever said a word. So the transcript itself is asked.

A fork needs a closer look: the CLI writes the whole history of the source before it adds the new prompt, and a conversation that was
killed in between would be resumed without its task. So a fork's prompt has an id that is known beforehand.
"""

import json
import os
import uuid


def prompt_id(conversation: str) -> str:
    """The id of the message that gives a forked conversation its task."""
    return str(uuid.uuid5(uuid.UUID(conversation), "prompt"))


def holds_user_message(path: str, identifier: str | None = None) -> bool:
    """Whether the transcript exists and a user spoke in it (said the message `identifier`). Torn or foreign lines count for nothing."""
    try:
        with open(path, "rb") as lines:
            return any(_is_user_message(line, identifier) for line in lines)
    except FileNotFoundError:
        return False


def set_aside(path: str) -> None:
    """Move a transcript away, so that the CLI can begin one of that name."""
    os.replace(path, f"{path}.unused")


def _is_user_message(line: bytes, identifier: str | None) -> bool:
    if b'"user"' not in line:
        return False
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    if not isinstance(entry, dict) or entry.get("type") != "user" or entry.get("isMeta"):
        return False
    if identifier is not None and entry.get("uuid") != identifier:
        return False
    message = entry.get("message")
    return isinstance(message, dict) and message.get("role") == "user"
