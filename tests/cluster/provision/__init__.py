"""Where the tests run: on a cluster that is given, in kind, or on the embedded cluster."""
