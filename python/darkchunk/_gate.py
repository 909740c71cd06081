"""Who is in a call into the library, so that what the call works on is not freed meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator

from ._errors import UnsupportedError


class Gate:
    """Lets threads in until it is closed; closing waits for those that are in.

    No lock of h5py's is held where a gate is entered or closed: who is in may be waiting for it.
    """

    def __init__(self, what: str) -> None:
        """`what` is closed then, says the error."""
        self._what, self._is_open = what, True
        self._reset()
        _ALL.add(self)

    def _reset(self) -> None:
        self._changed, self._n_inside = threading.Condition(), 0
        self._is_exclusive = False

    @property
    def is_open(self) -> bool:
        """Whether it may be entered."""
        return self._is_open

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Where this is held, the gate does not close. Not to be entered again by who is in."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_exclusive)
            self._check()
            self._n_inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lets nobody else in while this is held, and waits first until all are out."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_exclusive)
            self._check()
            self._is_exclusive = True
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._n_inside == 0)
                self._check()
            yield
        finally:
            with self._changed:
                self._is_exclusive = False
                self._changed.notify_all()

    def _check(self) -> None:
        if not self._is_open:
            raise UnsupportedError(f"the {self._what} is closed")

    def close(self) -> None:
        """Lets nobody in any more, and waits until all are out."""
        with self._changed:
            self._is_open = False
            self._changed.wait_for(lambda: self._n_inside == 0 and not self._is_exclusive)


_ALL: weakref.WeakSet[Gate] = weakref.WeakSet()


def _after_fork() -> None:
    """In a child process the threads that were in are not there."""
    for gate in list(_ALL):
        gate._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
