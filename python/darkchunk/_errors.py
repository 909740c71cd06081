"""What goes wrong, as Python's exceptions. Every one of them is an `Error`."""

from __future__ import annotations

from collections.abc import Sequence


class Error(Exception):
    """Anything that darkchunk refuses or that fails in it. The text says what was wrong and what to do."""

    #: Of `Recorder.push_many`: what became of the frames that were pushed, in their order.
    pushed: Sequence[str] = ()


class ArgumentError(Error, ValueError):
    """An argument or a filter parameter means nothing."""


class DamagedError(Error, ValueError):
    """A chunk is damaged, or decodes to another size than its shape says."""


class UnsupportedError(Error, ValueError):
    """What was asked for does not exist for this type, shape, file or dataset."""


class TooBrightError(Error, ValueError):
    """A pixel above 32767, which a bare DRLE stream cannot hold. The frame was not taken."""


class MissingError(Error, LookupError):
    """A chunk was never stored, and the caller asked not to be given the fill value."""


class Hdf5Error(Error, OSError):
    """A function of HDF5 failed. The text is HDF5's."""


class NotStoredError(Error, OSError):
    """HDF5 refused a chunk or a flush. The frames of the call are held: do not push them again."""


class NotTakenError(Error, OSError):
    """A full chunk is held that HDF5 still refuses: the frame was not taken. Push it again."""


class ReadError(Error, OSError):
    """The file could not be read. The text is the system's."""


class SliceError(Error, RuntimeError):
    """A function has failed for a slice. What it raised is the cause (`__cause__`)."""

    #: The number of the slice, counted over all slicing axes.
    slice: int = 0
    #: Its place along each of them.
    place: tuple[int, ...] = ()


# By the numbers of `dc_status`.
BY_STATUS: dict[int, type[Error]] = {
    1: ArgumentError,
    2: ArgumentError,
    3: ArgumentError,
    4: DamagedError,
    5: DamagedError,
    6: TooBrightError,
    7: UnsupportedError,
    8: Hdf5Error,
    9: NotStoredError,
    11: NotTakenError,
    12: MissingError,
    13: ReadError,
}
