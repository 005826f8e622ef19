"""`python3 -m stint_runner [run|clone|continue]`; without a word it runs."""

import os
import sys

if __name__ == "__main__":
    # `-m` puts the working directory first, and the working directory may be a repository with a `json.py` of its own.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != os.getcwd()]

from .main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
