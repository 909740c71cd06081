"""What writes a file, as a context manager: closed at the block's end, and ended whatever happens."""

from __future__ import annotations

import abc
from types import TracebackType
from typing import Any, TypeVar

from ._errors import Error

_T = TypeVar("_T", bound="Ending")


class Ending(abc.ABC):
    """Has a handle until it is ended."""

    _handle: Any

    @abc.abstractmethod
    def close(self) -> None:
        """Finishes and ends it."""

    @abc.abstractmethod
    def _end(self) -> None:
        """Ends it without finishing."""

    def __enter__(self: _T) -> _T:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Error:
            # What the block raised came first, and is what is shown.
            if error is None:
                raise
        finally:
            if self._handle is not None:
                self._end()
