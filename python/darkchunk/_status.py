"""What became of frames that are not in the file: the column `frame_status` beside a dataset that was recorded."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import UnsupportedError

# Of a frame that has one of these there will be no pixels. A dropped one may come again.
WORDS = {2: "vetoed", 3: "dropped", 4: "refused", 6: "lost"}


def of(source: Any, start: int, stop: int) -> NDArray[np.uint8]:
    """The statuses of the frames `start` to `stop - 1` of h5py's dataset `source`, as the file has them now; 0, for
    those that have not come, where it says nothing."""
    found = np.zeros(stop - start, np.uint8)
    # A column that cannot be read says nothing. h5py raises RuntimeError where HDF5 cannot open it again.
    with contextlib.suppress(KeyError, OSError, RuntimeError):
        column = source.file[f"{source.name}_darkchunk/frame_status"]
        if getattr(column, "ndim", 0) == 1 and column.dtype == np.uint8:
            check_alone(column)
            column.id.refresh()
            # h5py keeps the shape of a file that is open for reading.
            rows = type(column)(column.id)[start:stop]
            found[: len(rows)] = rows
    return found


def settled(statuses: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of them say that there will be no pixels."""
    return np.isin(statuses, list(WORDS))


def check_alone(source: Any) -> None:
    """Refuses a dataset that has another identifier in h5py's HDF5, as the library does with those that it reads: after
    `H5Drefresh` the others have memory that is not theirs (HDF5 1.10 and 2.0 were seen)."""
    from h5py import h5f, h5o

    def place(identifier: Any) -> tuple[int, int]:
        found = h5o.get_info(identifier)
        return found.fileno, found.addr

    own = place(source.id)
    found = sum(place(other) == own for other in h5f.get_obj_ids(h5f.OBJ_ALL, h5f.OBJ_DATASET))
    if found > 1:
        raise UnsupportedError(
            f"{source.name!r} is open more than once in this process, and HDF5 breaks a dataset that is refreshed "
            "then: close what else has it open"
        )
