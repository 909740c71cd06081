"""The filters as objects: what h5py takes as `compression=`, with the names of arguments that hdf5plugin's have."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

DRLE_ID, BSHUF_ID, BLOSC_ID, LZ4_ID, ZSTD_ID = 36114, 32008, 32001, 32004, 32015

_UINT32 = 1 << 32


def _integer(value: Any, what: str, low: int, high: int) -> int:
    """`value` as an int in [low, high]."""
    if isinstance(value, bool):
        raise TypeError(f"{what} is an integer, not {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is an integer, not {value!r}") from None
    if not low <= number <= high:
        raise ValueError(f"{what} is {number}: give one from {low} to {high}")
    return number


def _one_of(value: Any, what: str, names: Sequence[str]) -> int:
    """The index of `value` in `names`."""
    if value not in names:
        raise ValueError(f"{what} is {value!r}: give one of {', '.join(map(repr, names))}")
    return names.index(value)


def _meet_h5py(filter_class: type) -> None:
    """Makes h5py take objects of this class as `compression=`, if there is an h5py."""
    try:
        import h5py
    except ImportError:
        return
    h5py.filters.FilterRefBase.register(filter_class)


class Filter(Mapping[str, Any]):
    """A filter with its parameters.

    Give it to h5py as `compression=`, or as `**filter`. Two filters are equal if number and parameters are.
    """

    filter_id: ClassVar[int]
    filter_name: ClassVar[str]

    def __init__(self, options: Iterable[int], config: Mapping[str, Any]) -> None:
        self._options = tuple(options)
        self._config = dict(config)
        _meet_h5py(Filter)

    @property
    def filter_options(self) -> tuple[int, ...]:
        """The parameters as they are given to HDF5 (`cd_values`)."""
        return self._options

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this object."""
        return dict(self._config)

    def stored(self, dtype: Any, chunks: Sequence[int]) -> tuple[int, ...]:
        """The parameters as a file stores them, for chunks of shape `chunks` (elements) of elements of `dtype`."""
        from ._chunks import stored_values

        return stored_values(self, dtype, chunks)

    def apply(self, dcpl: Any, mandatory: bool = True) -> None:
        """Adds the filter to h5py's creation properties (`h5py.h5p.create(h5py.h5p.DATASET_CREATE)`).

        `mandatory`: a chunk that the filter refuses is an error of the write. Otherwise HDF5 stores it raw, which is
        what h5py's `compression=` does.
        """
        dcpl.set_filter(self.filter_id, 0 if mandatory else 1, self.filter_options)

    @classmethod
    def _from_filter_options(cls, values: Sequence[int]) -> Filter:
        raise NotImplementedError

    def __getitem__(self, key: str) -> Any:
        return {"compression": self.filter_id, "compression_opts": self.filter_options}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("compression", "compression_opts"))

    def __len__(self) -> int:
        return 2

    def __hash__(self) -> int:
        return hash((self.filter_id, self.filter_options))

    def __eq__(self, other: object) -> bool:
        number, options = getattr(other, "filter_id", None), getattr(other, "filter_options", None)
        if number is None or options is None:
            return NotImplemented
        return self.filter_id == number and self.filter_options == tuple(options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._config.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (type(self), self._config)


def _make(filter_class: type[Filter], config: dict[str, Any]) -> Filter:
    """What unpickling calls."""
    return filter_class(**config)


class DRLE(Filter):
    """Run lengths of dark pixels, for 16-bit integers.

    `threshold`: pixels below it become 0, 1 to 32767; 1 loses nothing but negative pixels. `mode`: "container", with
    a checksum a segment, "packed", the same with an entropy coder after it, or "bare". `segment`: pixels that are
    encoded by themselves, 0 for one frame. `sentinels`: up to 7 values that are no measurements, and are kept exactly;
    None for the type's own (65535 of uint16).
    """

    filter_id = DRLE_ID
    filter_name = "drle"
    _MODES = ("container", "bare", "packed")

    def __init__(
        self, threshold: int = 1, mode: str = "container", segment: int = 0, sentinels: Sequence[int] | None = None
    ) -> None:
        threshold = _integer(threshold, "threshold", 1, 32767)
        segment = _integer(segment, "segment", 0, _UINT32 - 1)
        options = [threshold, _one_of(mode, "mode", self._MODES), segment]
        config: dict[str, Any] = {"threshold": threshold, "mode": mode, "segment": segment}
        if sentinels is not None:
            named = tuple(_integer(value, "a sentinel", -32768, 65535) for value in sentinels)
            if not 1 <= len(named) <= 7 or 0 in named:
                raise ValueError(f"sentinels are 1 to 7 values, none of them 0, not {named}")
            options += [2, 0, 0, 0, 0, len(named), *(value % _UINT32 for value in named)]
            config["sentinels"] = named
        while len(options) > 1 and options[-1] == 0:
            options.pop()
        super().__init__(options, config)

    @property
    def threshold(self) -> int:
        """Pixels below it become 0."""
        return self._config["threshold"]

    @property
    def mode(self) -> str:
        """One of "container", "bare" and "packed"."""
        return self._config["mode"]

    @property
    def segment(self) -> int:
        """Pixels that are encoded by themselves; 0: one frame."""
        return self._config["segment"]

    @property
    def sentinels(self) -> tuple[int, ...] | None:
        """Values that are kept exactly; None: the type's own."""
        return self._config.get("sentinels")

    @classmethod
    def _from_filter_options(cls, values: Sequence[int]) -> DRLE:
        threshold, mode, segment = (*values[:3], *(1, 0, 0)[len(values[:3]) :])
        sentinels = None
        if len(values) > 8 and values[3] in (2, 3):
            named = values[9 : 9 + values[8]]
            sentinels = tuple(value - _UINT32 if value >= _UINT32 // 2 else value for value in named) or None
        if mode >= len(cls._MODES):
            raise ValueError(f"{tuple(values)} are no parameters of DRLE: mode {mode} is unknown")
        return cls(threshold, cls._MODES[mode], segment, sentinels)


class Bitshuffle(Filter):
    """Bit planes, and what compresses them.

    `nelems`: elements a block, a multiple of 8; 0 for the default. `cname`: "none", "lz4" or "zstd". `clevel`: level
    of Zstd, 1 to 22. `lz4`: the old name, True for "lz4" and False for "none".
    """

    filter_id = BSHUF_ID
    filter_name = "bshuf"
    _NAMES: ClassVar[dict[str, int]] = {"none": 0, "lz4": 2, "zstd": 3}

    def __init__(
        self, nelems: int = 0, cname: str | bool | None = None, clevel: int = 3, lz4: bool | None = None
    ) -> None:
        if isinstance(cname, bool):
            cname, lz4 = None, cname
        if lz4 is not None:
            if cname is not None:
                raise ValueError("give cname or lz4, not both")
            cname = "lz4" if lz4 else "none"
        cname = "lz4" if cname is None else cname
        nelems = _integer(nelems, "nelems", 0, _UINT32 - 1)
        if nelems % 8:
            raise ValueError(f"nelems is {nelems}: give a multiple of 8, or 0 for the default")
        _one_of(cname, "cname", tuple(self._NAMES))
        options, config = [nelems, self._NAMES[cname]], {"nelems": nelems, "cname": cname}
        if cname == "zstd":
            clevel = _integer(clevel, "clevel", 1, 22)
            options.append(clevel)
            config["clevel"] = clevel
        super().__init__(options, config)

    @property
    def nelems(self) -> int:
        """Elements a block; 0: the default."""
        return self._config["nelems"]

    @property
    def cname(self) -> str:
        """One of "none", "lz4" and "zstd"."""
        return self._config["cname"]

    @property
    def clevel(self) -> int | None:
        """Level of Zstd; None for the others."""
        return self._config.get("clevel")

    @classmethod
    def _from_filter_options(cls, values: Sequence[int]) -> Bitshuffle:
        # Stored: version, version, element bytes, block, compression, level.
        block, number, level = (*values[3:6], *(0, 0, 0)[len(values[3:6]) :])
        name = next((name for name, known in cls._NAMES.items() if known == number), None)
        if name is None:
            raise ValueError(f"{tuple(values)} are no parameters of bitshuffle: compression {number} is unknown")
        return cls(block, name, level or 3)


class Blosc(Filter):
    """Blosc 1.

    `cname`: "blosclz", "lz4", "lz4hc", "snappy", "zlib" or "zstd". `clevel`: 0 to 9. `shuffle`: `Blosc.NOSHUFFLE`,
    `Blosc.SHUFFLE` (bytes) or `Blosc.BITSHUFFLE`.
    """

    filter_id = BLOSC_ID
    filter_name = "blosc"
    NOSHUFFLE, SHUFFLE, BITSHUFFLE = 0, 1, 2
    _NAMES = ("blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd")

    def __init__(self, cname: str = "lz4", clevel: int = 5, shuffle: int = SHUFFLE) -> None:
        number = _one_of(cname, "cname", self._NAMES)
        clevel = _integer(clevel, "clevel", 0, 9)
        shuffle = _integer(shuffle, "shuffle", self.NOSHUFFLE, self.BITSHUFFLE)
        config = {"cname": cname, "clevel": clevel, "shuffle": shuffle}
        super().__init__((0, 0, 0, 0, clevel, shuffle, number), config)

    @property
    def cname(self) -> str:
        """The compressor."""
        return self._config["cname"]

    @property
    def clevel(self) -> int:
        """0 to 9."""
        return self._config["clevel"]

    @property
    def shuffle(self) -> int:
        """NOSHUFFLE, SHUFFLE or BITSHUFFLE."""
        return self._config["shuffle"]

    @classmethod
    def _from_filter_options(cls, values: Sequence[int]) -> Blosc:
        level, shuffle, number = (*values[4:7], *(5, 1, 0)[len(values[4:7]) :])
        if number >= len(cls._NAMES):
            raise ValueError(f"{tuple(values)} are no parameters of Blosc: compressor {number} is unknown")
        return cls(cls._NAMES[number], level, shuffle)


class LZ4(Filter):
    """LZ4. `nbytes`: bytes a block; 0 for the default of 1 GiB."""

    filter_id = LZ4_ID
    filter_name = "lz4"

    def __init__(self, nbytes: int = 0) -> None:
        nbytes = _integer(nbytes, "nbytes", 0, 0x7E000000)
        super().__init__((nbytes,), {"nbytes": nbytes})

    @property
    def nbytes(self) -> int:
        """Bytes a block; 0: the default."""
        return self._config["nbytes"]

    @classmethod
    def _from_filter_options(cls, values: Sequence[int]) -> LZ4:
        return cls(values[0] if values else 0)


class Zstd(Filter):
    """Zstd. `clevel`: 1 to 22, or a negative level (faster, larger)."""

    filter_id = ZSTD_ID
    filter_name = "zstd"

    def __init__(self, clevel: int = 3) -> None:
        clevel = _integer(clevel, "clevel", -131072, 22)
        super().__init__((clevel % _UINT32,), {"clevel": clevel})

    @property
    def clevel(self) -> int:
        """The level."""
        return self._config["clevel"]

    @classmethod
    def _from_filter_options(cls, values: Sequence[int]) -> Zstd:
        level = values[0] if values else 3
        return cls(level - _UINT32 if level >= _UINT32 // 2 else level)
