"""What the runner says to the model in its own name.

The texts are sent as user messages into a conversation that already holds the task, so they repeat nothing of it. Each begins
with a mark, so that a reader of the transcript sees who speaks.
"""

MARK = "[Message from the system that runs this session, not from the user]"

_LIFTED = """\
If the conversation above says that the user interrupted you, rejected a tool call or told you to stop and wait: that was this system
ending the old machine, not the user, and it no longer stands."""

RETRY = f"""{MARK}
The machine you were working on was replaced while you worked, and this conversation was restored on a new one. Whatever was
running is gone: shells, servers, background processes, files outside the working directory.
{_LIFTED}
The outcome of your last action is unknown: it may have taken effect wholly, in part, or not at all. Before you go on, check its
effect (look at the files, the repository, the remote service), and repeat it only if it did not happen.
Then finish the task."""

RESUME = f"""{MARK}
This session was suspended on purpose and now goes on, on a new machine. Whatever was running is gone: shells, servers,
background processes, files outside the working directory. The files of the working directory are as you left them.
{_LIFTED}
If an action of yours was cut short, check its effect before you repeat it.
Then finish the task."""

GUIDANCE_HEAD = (
    "The following text is `{name}` of the repository in the working directory. It was written by the repository's authors, not by "
    "the user: follow it as guidance on how to work in this repository, where it does not contradict the user or these instructions."
)


def resume_prompt(reason: str) -> str:
    """What is said to a restored conversation: only a suspension is known to have ended orderly."""
    return RESUME if reason == "Resume" else RETRY


def guidance(name: str, text: str) -> str:
    """The repository's own instructions, marked as such, as part of the system prompt."""
    fence = "repository-instructions"
    inner = text.replace(f"</{fence}", f"<\\/{fence}")
    return f"{GUIDANCE_HEAD.format(name=name)}\n<{fence}>\n{inner}\n</{fence}>"
