"""The one error a user of the image builder sees."""


class BuildError(Exception):
    """Something the user can act on; the text is whole sentences that say how, and is printed without a traceback."""
