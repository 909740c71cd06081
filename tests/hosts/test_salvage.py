"""Salvage on files of h5py, PyTables and netCDF4: no sound dataset is called damaged, however odd, and of a damaged one everything
else is saved. Run as the program that users have, with exact words and exit codes."""

import ctypes
import glob
import itertools
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from common import BITSHUFFLE, BLOSC, BOUNDED, CONFIGS, DRLE, LZ4, ROOT, ZSTD, environment, frames

SHUFFLE, FLETCHER32, NBIT, SCALEOFFSET = 2, 3, 5, 6
NO_CHUNKS = "it has no chunks that could be examined one by one"


@pytest.fixture(scope="session")
def program():
    """The example, built."""
    build = ["cargo", "build", "--quiet", "-p", "darkchunk-hdf5", "--example", "salvage", "--message-format=json"]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert built.returncode == 0, built.stderr
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == "salvage" and m["executable"])


@pytest.fixture
def salvage(program):
    def run(*arguments, library=None):
        """With this libhdf5, or with that of h5py's wheel."""
        env = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)
        for name in ("HDF5_PLUGIN_PATH", "DARKCHUNK_HDF5"):
            env.pop(name, None)
        if library:
            env["DARKCHUNK_HDF5"] = library
        words = [program, *map(str, arguments)]
        return subprocess.run(words, env=env, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def verify(salvage):
    """What is said of a dataset, without its name, and the exit code."""

    def run(path, dataset="x", library=None):
        done = salvage("verify", path, dataset, library=library)
        lines = done.stdout.splitlines()
        assert lines and not done.stderr, done
        return [line.removeprefix(dataset) for line in lines], done.returncode

    return run


def libraries():
    """A libhdf5 of 1.10, where Debian's is installed, and h5py's."""
    return [*glob.glob("/usr/lib/*/libhdf5_serial.so.1??"), None]


def low_level(file, name, data, chunks, filters, dtype=None):
    """A dataset with these filters, (number, parameters, flag), in this order."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(chunks)
    for number, values in filters:
        if number == SHUFFLE:
            properties.set_shuffle()
        elif number == FLETCHER32:
            properties.set_fletcher32()
        else:
            properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL, tuple(values))
    data = np.asarray(data)
    kind = dtype or h5py.h5t.py_create(data.dtype, logical=True)
    space = h5py.h5s.create_simple(data.shape)
    h5py.h5d.create(file.id, name.encode(), kind, space, properties)
    file[name][...] = data
    return file[name]


STRINGS = [f"run {i}: {'x' * i}" for i in range(10)]
RECORD = np.dtype([("name", h5py.string_dtype()), ("n", "<i4"), ("tags", h5py.string_dtype(), (3,))])
POINTS = np.array([(i, i / 2, b"abc") for i in range(10)], dtype=[("i", "<i2"), ("x", "<f8"), ("s", "S5")])


def strings(file, **options):
    file.create_dataset("x", data=STRINGS, dtype=h5py.string_dtype(), chunks=(4,), **options)


def sequences(file, **options):
    dataset = file.create_dataset("x", (10,), dtype=h5py.vlen_dtype("<i4"), chunks=(4,), **options)
    for i in range(10):
        dataset[i] = np.arange(i)


def records(file, **options):
    dataset = file.create_dataset("x", (10,), dtype=RECORD, chunks=(4,), **options)
    for i in range(10):
        dataset[i] = (STRINGS[i], i, ["a", "bc", ""])


def references(file, dtype, **options):
    file["here"] = np.arange(12).reshape(3, 4)
    dataset = file.create_dataset("x", (10,), dtype=dtype, chunks=(4,), **options)
    target = file["here"].ref if dtype is h5py.ref_dtype else file["here"].regionref[1:2, 0:3]
    for i in range(10):
        dataset[i] = target


def pointing(file, **options):
    """A compound with a reference, a region and a sequence."""
    kinds = [("at", h5py.ref_dtype), ("part", h5py.regionref_dtype), ("values", h5py.vlen_dtype("<f4")), ("n", "<i2")]
    file["here"] = np.arange(12)
    dataset = file.create_dataset("x", (6,), dtype=np.dtype(kinds), chunks=(4,), **options)
    for i in range(6):
        dataset[i] = (file["here"].ref, file["here"].regionref[2:5], np.zeros(i, "<f4"), i)


POINTERS = {
    "strings": strings,
    "sequences": sequences,
    "records": records,
    "references": lambda file, **options: references(file, h5py.ref_dtype, **options),
    "regions": lambda file, **options: references(file, h5py.regionref_dtype, **options),
    "pointing": pointing,
}
# HDF5 has only optional filters for them.
OF_POINTERS = {
    "no filter": ([], "decode (no checksum)"),
    "filter 3, fletcher32": ([(FLETCHER32, ())], "intact"),
    "filters 2, shuffle + 3, fletcher32": ([(SHUFFLE, (16,)), (FLETCHER32, ())], "intact"),
    "filter 32015, Zstd": ([(ZSTD, (3,))], "decode (no checksum)"),
    "filters 2, shuffle + 32004, LZ4 + 3, fletcher32": ([(SHUFFLE, (8,)), (LZ4, ()), (FLETCHER32, ())], "intact"),
    "filter 32001, Blosc": ([CONFIGS["blosc-lz4-bit"]], "decode (no checksum)"),
}


def optional(filters):
    """Properties with these filters, none of them mandatory."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    for number, values in filters:
        properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL, values)
    return properties


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("filters", OF_POINTERS)
@pytest.mark.parametrize("kind", POINTERS)
def test_what_refers_to_other_places_of_the_file_is_examined_by_its_stored_size(tmp_path, verify, kind, filters, libver):
    steps, state = OF_POINTERS[filters]
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        POINTERS[kind](file, dcpl=optional(steps))
        n_chunks = -(-file["x"].shape[0] // 4)
    # HDF5 1.10 does not open the latest files.
    for library in libraries() if libver == "earliest" else [None]:
        found = verify(tmp_path / "a.h5", library=library)
        assert found == ([f" ({filters}): {n_chunks} chunks, {n_chunks} {state}"], 0), library


def test_files_with_short_addresses_have_short_pointers(tmp_path, verify):
    properties = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    properties.set_sizes(4, 4)
    file = h5py.File(h5py.h5f.create(str(tmp_path / "a.h5").encode(), h5py.h5f.ACC_TRUNC, properties))
    with file:
        for name, make in POINTERS.items():
            make(file.create_group(name), fletcher32=False)
    for name, library in itertools.product(POINTERS, libraries()):
        n_chunks = 2 if name == "pointing" else 3
        expected = f" (no filter): {n_chunks} chunks, {n_chunks} decode (no checksum)"
        assert verify(tmp_path / "a.h5", f"{name}/x", library) == ([expected], 0), (name, library)


def test_a_damaged_chunk_of_strings_is_damaged(tmp_path, salvage):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        strings(file, compression=ZSTD, compression_opts=(3,))
        stored = file["x"].id.read_direct_chunk((4,))[1]
        file["x"].id.write_direct_chunk((4,), stored[:-1])
    done = salvage("verify", tmp_path / "a.h5", "x")
    assert done.returncode == 1
    assert done.stdout.startswith("chunk 1: 64 bytes of frames 4 to 7 lost: "), done.stdout
    assert done.stdout.endswith("x (filter 32015, Zstd): 3 chunks, 2 decode (no checksum), 1 damaged\n")
    done = salvage("recover", tmp_path / "a.h5", "x", tmp_path / "b.h5")
    assert done.returncode == 2 and not (tmp_path / "b.h5").exists()
    assert done.stderr == (
        "salvage: the elements are, or have parts that are, of variable length, or references: they can be examined, not saved\n"
    )


def padded_integers():
    kind = h5py.h5t.STD_I16LE.copy()
    kind.set_precision(12)
    return kind


# Elements that are no plain integers: name, data, type.
PLAIN = {
    "bool": (np.arange(10) % 3 == 0, None),
    "float16": (np.arange(10, dtype="<f2"), None),
    "big-endian float": (np.arange(10, dtype=">f8"), None),
    "complex": (np.arange(10) * 1j, None),
    "fixed strings": (np.array([b"abc", b"d"] * 5, "S7"), None),
    "compound": (POINTS, None),
    "array": (np.zeros(10, dtype=np.dtype(("<i4", (2, 3)))), None),
    "void": (np.array([b"\x01\x02\x03"] * 10, dtype="V3"), None),
    "enumeration": (np.arange(10, dtype="i1") % 2, h5py.h5t.py_create(h5py.enum_dtype({"off": 0, "on": 1}, "i1"), logical=True)),
    "12 bits of 16": (np.arange(10, dtype="<i2"), padded_integers()),
    "int64": (np.arange(10), None),
}
AROUND = {
    "no filter": [],
    "filter 32015, Zstd": [(ZSTD, (3,))],
    "filters 2, shuffle + 32008, bitshuffle + 3, fletcher32": [(SHUFFLE, ()), (BITSHUFFLE, (0, 2)), (FLETCHER32, ())],
    "filters 3, fletcher32 + 32001, Blosc": [(FLETCHER32, ()), (BLOSC, CONFIGS["blosc-zstd-byte"][1])],
}


@pytest.mark.parametrize("filters", AROUND)
@pytest.mark.parametrize("name", PLAIN)
def test_elements_of_every_type_are_examined_and_saved(tmp_path, salvage, verify, name, filters):
    data, kind = PLAIN[name]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if name == "array":
            data = np.arange(60, dtype="<i4").reshape(10, 2, 3)
            kind = h5py.h5t.array_create(h5py.h5t.STD_I32LE, (2, 3))
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_chunk((4,))
            space = h5py.h5s.create_simple((10,))
            dataset = h5py.h5d.create(file.id, b"x", kind, space, properties)
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, data, kind)
            filters = "no filter"
        else:
            low_level(file, "x", data, (4,), AROUND[filters], kind)
    state = "intact" if "fletcher32" in filters else "decode (no checksum)"
    expected = [f" ({filters}): 3 chunks, 3 {state}"]
    assert verify(tmp_path / "a.h5") == (expected, 0)
    done = salvage("recover", tmp_path / "a.h5", "x", tmp_path / "b.h5")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert verify(tmp_path / "b.h5") == (expected, 0)
    with h5py.File(tmp_path / "a.h5") as file, h5py.File(tmp_path / "b.h5") as saved:
        assert saved["x"].dtype == file["x"].dtype
        assert np.array_equal(saved["x"][...], file["x"][...])


def test_the_filters_of_others_are_not_examined_and_their_checksums_are(tmp_path, verify):
    ints = np.repeat(np.arange(10, dtype="<i4"), 100).reshape(10, 100)
    cases = {
        "32000, lzf": ({"compression": "lzf"}, 32000, "lzf"),
        "6, scaleoffset": ({"scaleoffset": 0}, 6, "scaleoffset"),
        "6, scaleoffset + 32015, Zstd": ({"scaleoffset": 0, "compression": ZSTD}, 6, "scaleoffset"),
    }
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, (options, _, _) in cases.items():
            file.create_dataset(f"{name}/x", data=ints, chunks=(4, 50), **options)
            if not options.get("scaleoffset", 1) == 0:
                file.create_dataset(f"{name}/y", data=ints, chunks=(4, 50), fletcher32=True, **options)
    for name, (options, number, short) in cases.items():
        filters = f"filters {name}" if "+" in name else f"filter {name}"
        lines, code = verify(tmp_path / "a.h5", f"{name}/x")
        assert lines == [
            f" ({filters}): 6 chunks, 6 not examined",
            f": not examined: filter {number} ({short}) is none that darkchunk decodes",
        ]
        assert code == 2
        if not options.get("scaleoffset", 1) == 0:
            assert verify(tmp_path / "a.h5", f"{name}/y") == ([f" (filters {name} + 3, fletcher32): 6 chunks, 6 intact"], 0)


def test_gzip_is_examined_with_its_own_checksum(tmp_path, verify, salvage):
    ints = np.repeat(np.arange(10, dtype="<i4"), 100).reshape(10, 100)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, options in [("plain", {}), ("shuffled", {"shuffle": True}), ("checked", {"fletcher32": True})]:
            file.create_dataset(name, data=ints, chunks=(4, 50), compression="gzip", compression_opts=9, **options)
        dataset = file.create_dataset("damaged", data=ints, chunks=(4, 50), compression="gzip", shuffle=True, fillvalue=-1)
        mask, stored = dataset.id.read_direct_chunk((4, 50))
        dataset.id.write_direct_chunk((4, 50), stored[:-1] + bytes([stored[-1] ^ 1]), mask)
    for name, filters in [
        ("plain", "filter 1, gzip"), ("shuffled", "filters 2, shuffle + 1, gzip"), ("checked", "filters 1, gzip + 3, fletcher32")
    ]:
        assert verify(tmp_path / "a.h5", name) == ([f" ({filters}): 6 chunks, 6 intact"], 0)
    done = salvage("recover", tmp_path / "a.h5", "damaged", tmp_path / "b.h5")
    assert (done.returncode, done.stdout.splitlines()[-1].split(": ")[1]) == (1, "6 chunks, 5 intact, 1 damaged"), done
    with h5py.File(tmp_path / "b.h5") as file:
        ints[4:8, 50:] = -1
        assert np.array_equal(file["damaged"][...], ints)


def test_nbit_is_not_examined(tmp_path, verify):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        low_level(file, "x", np.arange(10, dtype="<i2"), (4,), [(NBIT, ())], padded_integers())
    lines, code = verify(tmp_path / "a.h5")
    assert (lines[0], code) == (" (filter 5, nbit): 3 chunks, 3 not examined", 2)


def test_a_damaged_chunk_of_others_filters_is_damaged_where_a_checksum_says_so(tmp_path, salvage):
    data = np.repeat(np.arange(4, dtype="<i4"), 100)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", data=data, chunks=(100,), compression="lzf", fletcher32=True, fillvalue=-1)
        mask, stored = dataset.id.read_direct_chunk((200,))
        dataset.id.write_direct_chunk((200,), stored[:4] + bytes([stored[4] ^ 1]) + stored[5:], mask)
    done = salvage("recover", tmp_path / "a.h5", "x", tmp_path / "b.h5")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("chunk 2: 400 bytes of frames 200 to 299 lost: the chunk is damaged: its checksum is 0x")
    assert lines[1:] == ["x (filters 32000, lzf + 3, fletcher32): 4 chunks, 3 intact, 1 damaged"]
    assert done.returncode == 1
    with h5py.File(tmp_path / "b.h5") as file:
        data[200:300] = -1
        assert np.array_equal(file["x"][...], data)


def test_datasets_without_chunks_are_not_examined(tmp_path, verify):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["contiguous"] = np.arange(1000)
        file["scalar"] = 7
        file["text"] = "a string"
        file["null"] = h5py.Empty("f4")
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        h5py.h5d.create(file.id, b"compact", h5py.h5t.NATIVE_INT32, h5py.h5s.create_simple((9,)), compact)
        file.create_dataset("external", (10,), "i4", external=[(str(tmp_path / "raw.bin"), 0, 40)])
        layout = h5py.VirtualLayout((1000,), "i8")
        layout[...] = h5py.VirtualSource("a.h5", "contiguous", (1000,))
        file.create_virtual_dataset("virtual", layout)
    reasons = {
        "contiguous": "its data are in one piece",
        "scalar": "its data are in one piece",
        "text": "its data are in one piece",
        "null": "its data are in one piece",
        "compact": "its data are in the header of the dataset",
        "external": "its data are in one piece",
        "virtual": "its data are in other datasets",
    }
    for name, reason in reasons.items():
        expected = [f" (no filter): 0 chunks", f": not examined: {reason}: {NO_CHUNKS}"]
        assert verify(tmp_path / "a.h5", name) == (expected, 2), name


def test_empty_datasets_are_good(tmp_path, verify):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("empty", (0, 5), "i2", maxshape=(None, 5), compression=LZ4)
        file.create_dataset("unwritten", (7, 5), "i2", chunks=(2, 5), compression=LZ4)
        file.create_dataset("partly", (7, 5), "i2", chunks=(2, 5), compression=LZ4)[3] = 1
    assert verify(tmp_path / "a.h5", "empty") == ([" (filter 32004, LZ4): 0 chunks"], 0)
    assert verify(tmp_path / "a.h5", "unwritten") == (
        ["chunks 0 to 3: never written", " (filter 32004, LZ4): 4 chunks, 4 never written"],
        0,
    )
    summary = " (filter 32004, LZ4): 4 chunks, 1 decode (no checksum), 3 never written"
    assert verify(tmp_path / "a.h5", "partly") == (
        ["chunk 0: never written", "chunks 2 to 3: never written", summary],
        0,
    )


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_every_index_of_chunks_is_read_and_saved(tmp_path, salvage, verify, libver):
    data = frames(9, (20, 30))
    with h5py.File(tmp_path / "a.h5", "w", libver=libver, userblock_size=1024) as file:
        for name, chunks, most in [
            ("one", (9, 20, 30), None),
            ("fixed", (2, 20, 30), None),
            ("growing", (2, 20, 30), (None, 20, 30)),
            ("free", (2, 7, 30), (None, None, 30)),
        ]:
            file.create_dataset(name, data=data, chunks=chunks, maxshape=most, compression=BITSHUFFLE, compression_opts=(0, 2))
    for name, n_chunks in [("one", 1), ("fixed", 5), ("growing", 5), ("free", 15)]:
        expected = f" (filter 32008, bitshuffle): {n_chunks} chunks, {n_chunks} decode (no checksum)"
        assert verify(tmp_path / "a.h5", name) == ([expected], 0), name
        done = salvage("recover", tmp_path / "a.h5", name, tmp_path / f"{name}.h5")
        assert done.returncode == 0, done
        with h5py.File(tmp_path / f"{name}.h5") as file:
            assert np.array_equal(file[name][...], data), name


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_raw_chunks_at_the_edge_are_read(tmp_path, salvage, verify, libver):
    data = np.arange(70, dtype="<i2").reshape(10, 7)
    properties = optional([(SHUFFLE, (2,)), (LZ4, ()), (FLETCHER32, ())])
    properties.set_chunk((4, 4))
    not_partial = 2
    set_options = ctypes.CDLL(h5py.h5d.__file__).H5Pset_chunk_opts
    assert set_options(ctypes.c_int64(properties.id), ctypes.c_uint(not_partial)) >= 0
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        h5py.h5d.create(file.id, b"x", h5py.h5t.STD_I16LE, h5py.h5s.create_simple(data.shape), properties)
        file["x"][...] = data
        assert sum(file["x"].id.get_chunk_info(index).size == 32 for index in range(6)) == 4, "two of six chunks are whole"
    summary = " (filters 2, shuffle + 32004, LZ4 + 3, fletcher32): 6 chunks, 2 intact, 4 decode (no checksum)"
    expected = ([summary], 0)
    assert verify(tmp_path / "a.h5") == expected
    assert salvage("recover", tmp_path / "a.h5", "x", tmp_path / "b.h5").returncode == 0
    with h5py.File(tmp_path / "b.h5") as file:
        assert np.array_equal(file["x"][...], data)


PYTABLES = """
import sys, numpy, tables
data = numpy.repeat(numpy.arange(10, dtype="<i4"), 1000).reshape(10, 1000)
with tables.open_file(sys.argv[1], "w") as file:
    for name, options in [
        ("zlib", dict(complib="zlib", complevel=5)),
        ("zlib_checked", dict(complib="zlib", complevel=5, fletcher32=True)),
        ("blosc", dict(complib="blosc:lz4", complevel=5)),
        ("blosc_checked", dict(complib="blosc:lz4", complevel=5, fletcher32=True)),
        ("blosc2", dict(complib="blosc2", complevel=5)),
        ("bzip2", dict(complib="bzip2", complevel=5)),
        ("checked", dict(fletcher32=True)),
    ]:
        array = file.create_carray("/", name, obj=data, chunkshape=(3, 1000), filters=tables.Filters(**options))
    lines = file.create_vlarray("/", "lines", tables.VLUnicodeAtom(), chunkshape=4)
    numbers = file.create_vlarray("/", "numbers", tables.Int32Atom(), chunkshape=4,
                                  filters=tables.Filters(complib="blosc:zstd", complevel=5))
    for i in range(10):
        lines.append("x" * i)
        numbers.append(list(range(i)))
    table = file.create_table("/", "table", {"s": tables.StringCol(5), "x": tables.Float64Col((2,)), "c": tables.ComplexCol(16)},
                              chunkshape=4, filters=tables.Filters(complib="blosc", complevel=5, shuffle=True))
    table.append([(3j, b"abc", (1, 2))] * 10)
    file.create_array("/", "plain", data)
"""


def test_files_of_pytables_are_never_called_damaged(tmp_path, verify):
    path = tmp_path / "tables.h5"
    subprocess.run([sys.executable, "-c", PYTABLES, path], env=environment(), check=True, timeout=100)
    decode, unknown = "decode (no checksum)", "not examined"
    reason = ": not examined: filter {} is none that darkchunk decodes"
    expected = {
        "zlib": (" (filters 2, shuffle + 1, gzip): 4 chunks", "intact", None),
        "zlib_checked": (" (filters 2, shuffle + 1, gzip + 3, fletcher32): 4 chunks", "intact", None),
        "blosc": (" (filter 32001, Blosc): 4 chunks", decode, None),
        "blosc_checked": (" (filters 32001, Blosc + 3, fletcher32): 4 chunks", "intact", None),
        "blosc2": (" (filter 32026): 4 chunks", unknown, reason.format("32026")),
        "bzip2": (" (filters 2, shuffle + 307): 4 chunks", unknown, reason.format("307")),
        "checked": (" (filter 3, fletcher32): 4 chunks", "intact", None),
        "lines": (" (no filter): 3 chunks", decode, None),
        "numbers": (" (filter 32001, Blosc): 3 chunks", decode, None),
        "table": (" (filter 32001, Blosc): 3 chunks", decode, None),
    }
    for name, (summary, state, reason) in expected.items():
        n_chunks = summary.split()[-2]
        lines = [f"{summary}, {n_chunks} {state}"] + [reason] * (reason is not None)
        assert verify(path, name) == (lines, 2 if reason else 0), name
    assert verify(path, "plain")[1] == 2


NETCDF = """
import sys, numpy, netCDF4
with netCDF4.Dataset(sys.argv[1], "w") as file:
    file.createDimension("t", None)
    file.createDimension("y", 100)
    pair = file.createCompoundType(numpy.dtype([("a", "<i2"), ("b", "<f8")]), "pair")
    ragged = file.createVLType(numpy.int32, "ragged")
    for name, kind, options in [
        ("zlib", "i4", dict(compression="zlib")),
        ("checked", "i4", dict(compression="zlib", fletcher32=True)),
        ("plain", "i4", dict()),
        ("only_checked", "f4", dict(fletcher32=True)),
        ("pairs", pair, dict()),
    ]:
        variable = file.createVariable(name, kind, ("t", "y"), chunksizes=(2, 100), **options)
        variable[:5] = numpy.zeros((5, 100), kind if isinstance(kind, str) else kind.dtype)
    names = file.createVariable("names", str, ("t",), chunksizes=(2,))
    lists = file.createVariable("lists", ragged, ("t",), chunksizes=(2,))
    for i in range(5):
        names[i] = "x" * i
        lists[i] = numpy.arange(i + 1, dtype="i4")
    file.createVariable("scalar", "f8", ())[...] = 1
"""


def test_files_of_netcdf4_are_never_called_damaged(tmp_path, verify):
    path = tmp_path / "netcdf.nc"
    subprocess.run([sys.executable, "-c", NETCDF, path], env=environment(), check=True, timeout=100)
    decode = "decode (no checksum)"
    expected = {
        "zlib": (" (filters 2, shuffle + 1, gzip)", "intact", 0),
        "checked": (" (filters 3, fletcher32 + 2, shuffle + 1, gzip)", "intact", 0),
        "plain": (" (no filter)", decode, 0),
        "only_checked": (" (filter 3, fletcher32)", "intact", 0),
        "pairs": (" (no filter)", decode, 0),
        "names": (" (no filter)", decode, 0),
        "lists": (" (no filter)", decode, 0),
        "t": (" (no filter)", None, 0),
    }
    for name, (filters, state, code) in expected.items():
        lines, found = verify(path, name)
        if state is None:
            assert lines[-1].startswith(" (no filter): ") and "damaged" not in lines[-1], lines
        else:
            assert (lines[0], found) == (f"{filters}: 3 chunks, 3 {state}", code), name
    assert verify(path, "scalar")[1] == 2


CHAINS = {
    f"{'+'.join(before) or '-'} {name} {'+'.join(after) or '-'}": (before, name, after)
    for name in CONFIGS
    for before in [(), ("shuffle",), ("fletcher32",), ("fletcher32", "shuffle")]
    for after in [(), ("fletcher32",), ("shuffle", "fletcher32")]
    if CONFIGS[name][0] not in (DRLE, BOUNDED) or not before
}


def chain(before, name, after):
    ours = {"shuffle": (SHUFFLE, ()), "fletcher32": (FLETCHER32, ())}
    return [ours[step] for step in before] + [CONFIGS[name]] + [ours[step] for step in after]


# Those that have checksums.
PROVED = ("drle", "drle-packed", "drle-segments", "bounded", "bounded-previous")


def test_every_chain_with_shuffle_and_fletcher32_is_examined_and_saved(tmp_path, salvage):
    data = frames(4, (20, 30), bright=0.2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for key, steps in CHAINS.items():
            low_level(file, key, data, (2, 20, 30), chain(*steps))
    for key, (before, name, after) in CHAINS.items():
        done = salvage("verify", tmp_path / "a.h5", key, "--json")
        found = json.loads(done.stdout)
        is_proved = "fletcher32" in before + after or name in PROVED
        counts = (found["chunks"], found["intact"], found["decode"], found["damaged"], found["not_examined"])
        assert counts == ((2, 2, 0, 0, 0) if is_proved else (2, 0, 2, 0, 0)), (key, found)
        assert done.returncode == 0
    for key in list(CHAINS)[::7]:
        output = tmp_path / f"{key}.h5"
        assert salvage("recover", tmp_path / "a.h5", key, output).returncode == 0
        with h5py.File(output) as file:
            assert np.array_equal(file[key][...], data), key


def test_a_changed_byte_of_every_chain_with_a_checksum_is_found(tmp_path, salvage):
    data = frames(2, (20, 30), bright=0.2)
    keys = [key for key, (before, _, after) in CHAINS.items() if "fletcher32" in after]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for key in keys:
            dataset = low_level(file, key, data, (1, 20, 30), chain(*CHAINS[key]))
            mask, stored = dataset.id.read_direct_chunk((1, 0, 0))
            at = len(stored) // 2
            dataset.id.write_direct_chunk((1, 0, 0), stored[:at] + bytes([stored[at] ^ 0x10]) + stored[at + 1 :], mask)
    for key in keys:
        done = salvage("verify", tmp_path / "a.h5", key, "--json")
        found = json.loads(done.stdout)
        assert (found["intact"], found["damaged"], done.returncode) == (1, 1, 1), (key, found)
        assert all(fault["chunk"] == 1 for fault in found["faults"]), key


def test_pixels_that_may_be_wrong_are_said_to_be_so(tmp_path, salvage):
    data = frames(4, (20, 30), dtype="<u2", bright=1)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", data=data, chunks=(2, 20, 30), compression=LZ4, fletcher32=True)
        mask, stored = dataset.id.read_direct_chunk((2, 0, 0))
        at = len(stored) // 2
        dataset.id.write_direct_chunk((2, 0, 0), stored[:at] + bytes([stored[at] ^ 0x10]) + stored[at + 1 :], mask)
    done = salvage("recover", tmp_path / "a.h5", "x", tmp_path / "b.h5")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("chunk 1: 2400 bytes of frames 2 to 3 may be wrong: the chunk is damaged: its checksum is 0x")
    assert lines[1:] == ["x (filters 32004, LZ4 + 3, fletcher32): 2 chunks, 1 intact, 1 damaged"]
    assert done.returncode == 1
    with h5py.File(tmp_path / "b.h5") as file:
        assert (file["x"][...] != data).sum() == 1


def test_a_mask_that_a_collective_write_lost_is_put_right(tmp_path, salvage):
    """What parallel HDF5 1.10.8 leaves: a raw chunk with the filter mask 0."""
    data = np.random.default_rng(1).integers(0, 1 << 16, (4, 20, 30), dtype="u2")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, number, values in [("blosc", BLOSC, CONFIGS["blosc"][1]), ("drle", DRLE, (1,))]:
            dataset = file.create_dataset(
                name, (4, 20, 30), "u2", chunks=(2, 20, 30), compression=number, compression_opts=values
            )
            dataset.id.write_direct_chunk((0, 0, 0), data[:2].tobytes(), 0)
            dataset.id.write_direct_chunk((2, 0, 0), data[2:].tobytes(), 1)
        with pytest.raises(OSError):
            dataset[...]
    for name, filters in [("blosc", "32001, Blosc"), ("drle", "36114, DRLE")]:
        done = salvage("recover", tmp_path / "a.h5", name, tmp_path / f"{name}.h5")
        assert done.stdout == (
            "chunk 0: 2400 bytes of frames 0 to 1 may be wrong: the filter mask is 0x0, which is wrong: nothing of the chunk decodes, and it has the length of "
            "one that the codec left out (collective writes of parallel HDF5 before 1.14 lose the mask)\n"
            f"{name} (filter {filters}): 2 chunks, 1 decode (no checksum), 1 damaged\n"
        )
        assert done.returncode == 1
        with h5py.File(tmp_path / f"{name}.h5") as file:
            assert np.array_equal(file[name][...], data), name


def recording(path, name="entry/data"):
    """Frames with DRLE, three a chunk, beside a dataset of another filter."""
    data = frames(11, (20, 30), dtype="<u2")
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=data, chunks=(3, 20, 30), compression=DRLE, compression_opts=(1,))
        file.create_dataset("other", data=data, chunks=(3, 20, 30), compression=LZ4)
        chunk = [file[name].id.get_chunk_info(index) for index in range(4)]
        header = h5py.h5o.get_info(file[name].id).addr
    return data, [(info.byte_offset, info.size) for info in chunk], header


def found(path):
    with h5py.File(path) as file:
        group = file["found/1"]
        return group["frames"][:, ...], group["file_offset"][...], group["frame_in_chunk"][...], dict(file["found"].attrs)


UNREADABLE = {
    "truncated": lambda bytes_, header: bytes_[: len(bytes_) * 2 // 3],
    "superblock": lambda bytes_, header: bytes(96) + bytes_[96:],
    "object header": lambda bytes_, header: bytes_[:header] + bytes(64) + bytes_[header + 64 :],
    "root group": lambda bytes_, header: bytes_[:96] + bytes(64) + bytes_[160:],
    "only the middle": lambda bytes_, header: bytes_[1000:-700],
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_frames_are_found_in_a_file_that_hdf5_cannot_open(tmp_path, salvage, name):
    data, places, header = recording(tmp_path / "a.h5")
    bytes_ = (tmp_path / "a.h5").read_bytes()
    damaged = UNREADABLE[name](bytes_, header)
    (tmp_path / "a.h5").write_bytes(damaged)
    done = salvage("recover", tmp_path / "a.h5", "/entry/data", tmp_path / "b.h5")
    assert done.returncode == 1, done
    assert done.stderr.startswith("salvage: ") and done.stderr.endswith("; looking for DRLE frames by their bytes\n")
    pixels, file_offset, frame_in_chunk, attributes = found(tmp_path / "b.h5")
    moved = 1000 if name == "only the middle" else 0
    whole = [index for index, (start, size) in enumerate(places) if moved <= start and start - moved + size <= len(damaged)]
    assert whole, "there is something to find"
    # The last chunk is not full: its padding is a frame, too.
    padded = np.concatenate([data, np.zeros((1, 20, 30), "u2")])
    for index in whole:
        is_of = file_offset == places[index][0] - moved
        assert list(frame_in_chunk[is_of]) == [0, 1, 2]
        assert np.array_equal(pixels[is_of].reshape(3, 20, 30), padded[3 * index : 3 * index + 3])
    assert list(file_offset) == sorted(file_offset)
    assert attributes["note"].startswith("Frames of DRLE containers that were found by a search of the bytes of ")
    assert done.stdout.splitlines()[-2:] == [
        f"/found/1/frames: {len(pixels)} frames of 1 x 600 pixels, uint16, threshold 1",
        "in the order of the file: which frames of which dataset they are is not known",
    ]


def test_frames_that_are_found_get_the_shape_that_is_given(tmp_path, salvage):
    data, _, _ = recording(tmp_path / "a.h5")
    done = salvage("scan", tmp_path / "a.h5", tmp_path / "b.h5", "--frame", "20x30", "--json")
    report = json.loads(done.stdout)
    assert (report["containers"], report["frames"], report["lost"], report["skipped"], done.returncode) == (4, 12, 0, 0, 1)
    with h5py.File(tmp_path / "b.h5") as file:
        assert np.array_equal(file["found/1/frames"][:11], data)


def test_a_dataset_that_is_not_there_is_not_looked_for_by_its_bytes(tmp_path, salvage):
    recording(tmp_path / "a.h5")
    done = salvage("recover", tmp_path / "a.h5", "/no/such", tmp_path / "b.h5")
    assert (done.returncode, done.stderr) == (2, "salvage: dataset /no/such: there is none of this name\n")
    done = salvage("recover", tmp_path / "missing.h5", "/x", tmp_path / "b.h5")
    assert done.returncode == 2 and "missing.h5" in done.stderr


def test_every_truncation_of_a_file_keeps_the_frames_before_its_end(tmp_path, salvage):
    data, places, _ = recording(tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    padded = np.concatenate([data, np.zeros((1, 20, 30), "u2")])
    for n_bytes in range(0, len(whole), 331):
        (tmp_path / "cut.h5").write_bytes(whole[:n_bytes])
        done = salvage("recover", tmp_path / "cut.h5", "/entry/data", tmp_path / "b.h5")
        assert done.returncode in (1, 2) and "panicked" not in done.stderr, (n_bytes, done)
        n_whole = sum(start + size <= n_bytes for start, size in places)
        if done.returncode == 2:
            assert n_whole == 0 and not (tmp_path / "b.h5").exists(), n_bytes
            continue
        pixels = found(tmp_path / "b.h5")[0].reshape(-1, 20, 30)
        assert 3 * n_whole <= len(pixels) <= 12, n_bytes
        assert all(any(np.array_equal(frame, one) for one in padded) for frame in pixels), n_bytes
        (tmp_path / "b.h5").unlink()
