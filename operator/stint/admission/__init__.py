"""What is said to a request before it is stored: who created the object, whether it can be understood, and what its budgets think of it.

A fast answer, not the authority: nothing starts unless the controller's ledger has room, whatever was said here.
"""
