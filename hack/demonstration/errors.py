"""The errors that somebody who runs the demo sees.

DemoError          something failed; the text says what to do (exit code 1)
└── CannotRunHere  this machine or cluster is no place for the demo (exit code 2)
"""


class DemoError(Exception):
    """Something the user can act on; the text is whole sentences."""

    exit_code = 1


class CannotRunHere(DemoError):
    """It is of no use to try again on the same machine with the same settings."""

    exit_code = 2
