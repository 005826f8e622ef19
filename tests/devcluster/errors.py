"""The errors that a user of the embedded cluster sees.

    DevclusterError          something failed; the text says what to do (exit code 1)
    └── UnsupportedMachine   this machine or user can never run the cluster (exit code 2)

Every text is one or more whole sentences: the command line prints it as it stands, without a traceback.
"""


class DevclusterError(Exception):
    """Something the user can act on; the text says how."""

    exit_code = 1


class UnsupportedMachine(DevclusterError):
    """The cluster can't run here at all, whatever is tried again."""

    exit_code = 2
