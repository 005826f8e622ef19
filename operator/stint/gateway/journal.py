"""The usage journal: what survives a killed container and a lost pod.

One line of JSON for each change, each with the pod's totals so far, so the last readable line of a pod is its account and a
torn one costs nothing but itself. The volume outlives pods: other pods' lines are attempts whose own report may never have
been read. At the start the file is compacted to one line per pod.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

from stint.gateway.account import Account, from_line, to_line

log = logging.getLogger(__name__)

FILE = "journal.jsonl"
KEPT_PODS = 10  # as many others as a report shows
COMPACT_AT = 4 << 20  # bytes


class Journal:
    """The journal of this volume, opened for `pod`. Raises OSError, and ConfigError if another version wrote it.

    `own` is this pod's account, if it had one; `previous` are the newest of the others, the newest first; `unsettled` are
    those the controller could not settle, however old.
    """

    def __init__(self, folder: Path, pod: str, unsettled: frozenset[str] = frozenset()) -> None:
        self.pod = pod
        self._path = folder / FILE
        accounts = self._read()
        self.own = accounts.pop(pod, None)
        newest = list(reversed(accounts.values()))
        self.previous = newest[:KEPT_PODS]
        self.unsettled = [account for account in newest if account.pod in unsettled]
        self._kept = [account for account in accounts.values() if account in self.previous or account in self.unsettled]
        self._torn = False
        try:
            self._file = self._compacted(self.own)
        except OSError as problem:
            # A full disk: what stands there stays there, and every append will say so until there is room.
            log.warning("the usage journal cannot be compacted", extra={"problem": problem.strerror})
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._torn = True

    def append(self, account: Account) -> None:
        """Put the account on record; on return it is on the disk. Raises OSError."""
        if os.fstat(self._file).st_size > COMPACT_AT:
            former, self._file = self._file, self._compacted(account)
            os.close(former)
            return
        line = b"\n" * self._torn + to_line(account)
        self._torn = True
        _write(self._file, line)
        os.fsync(self._file)
        self._torn = False

    def close(self) -> None:
        os.close(self._file)

    def _read(self) -> dict[str, Account]:
        """The last account of each pod, in the order of their last lines."""
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        accounts: dict[str, Account] = {}
        for line in filter(None, lines):
            account = from_line(line)
            if account is None:
                log.warning("a line of the usage journal cannot be read and is left out")
                continue
            accounts.pop(account.pod, None)
            accounts[account.pod] = account
        return accounts

    def _compacted(self, own: Account | None) -> int:
        """Replace the file by one line per account, the oldest first, and open it for more."""
        fresh = self._path.with_suffix(".new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            os.fchmod(file, 0o600)
            _write(file, b"".join(map(to_line, [*self._kept, *([own] if own else [])])))
            os.fsync(file)
            fresh.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError:
            os.close(file)
            raise
        return file


def _write(file: int, content: bytes) -> None:
    if os.write(file, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync_folder(folder: Path) -> None:
    """Only then does the new name survive a power cut."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
