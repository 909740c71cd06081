"""Datasets whose filter parameters do not say how large a chunk is, as other writers store them, or say what is not so. Run by
child.py.

The reference's plugin writes them.
"""

import struct
from ctypes import CFUNCTYPE, byref, c_int, c_int64, c_uint, c_uint32, c_void_p, cast

import numpy as np

from actions import library
from common import CHUNKS, LZ4
from hdf5 import OPTIONAL

SMALL, LARGE = (1, 8, 8), (1, 20, 20)
SMALL_BYTES, LARGE_BYTES = 128, 800
# What the parameters claim, the shape of the chunks, and what the first one holds; before the filter.
CLAIMED = {
    "claimed": (LARGE_BYTES, LARGE, LARGE, ()),
    "claimed-short": (LARGE_BYTES, LARGE, SMALL, ()),
    "rechunked": (SMALL_BYTES, LARGE, LARGE, ()),
    "rechunked-short": (SMALL_BYTES, LARGE, SMALL, ()),
    "absurd": (0xFFFFFFFF, LARGE, LARGE, ()),
    "checked-before": (LARGE_BYTES, LARGE, None, ("fletcher32",)),
    "shuffled-short": (0, LARGE, SMALL, ("shuffle",)),
}
TABLE = np.dtype([("number", "<i4"), ("name", "S6"), ("places", "<f4", (2,))])
STRINGS = [f"string {number}" * (number % 3) for number in range(200)]
N_LINKS = 400
# `H5E_auto1_t` and `H5E_auto2_t`.
ERROR_HANDLERS = {1: CFUNCTYPE(c_int, c_void_p), 2: CFUNCTYPE(c_int, c_int64, c_void_p)}


def pixels(chunk, n_frames=3):
    return np.arange(n_frames * chunk[1] * chunk[2], dtype="<i2").reshape(n_frames, *chunk[1:])


def lz4_chunk(data):
    """One block that is stored as it is."""
    return struct.pack(">QII", len(data), len(data), len(data)) + data


def create(folder):
    """The files, and of each dataset what it stores."""
    import h5py

    with h5py.File(f"{folder}/foreign.h5", "w") as file:
        for name, chunk in {"small": SMALL, "large": LARGE, "short": LARGE, "long": LARGE}.items():
            make(file, name, (3, *chunk[1:]), chunk, np.dtype("<i2"), ())
        make(file, "checked", (3, *SMALL[1:]), SMALL, np.dtype("<i2"), ("shuffle", "fletcher32"))
        make(file, "packed-before", (3, *LARGE[1:]), LARGE, np.dtype("<i2"), ("deflate",))
        make(file, "strings", (len(STRINGS),), (20,), h5py.string_dtype(), ())
        fill(file)
        found = {name: stored(file[name].id) for name in file}
        create_claimed(file)
    layout = h5py.VirtualLayout((3, *SMALL[1:]), "<i2")
    layout[...] = h5py.VirtualSource("foreign.h5", "small", (3, *SMALL[1:]))
    with h5py.File(f"{folder}/virtual.h5", "w", libver=("earliest", "v110")) as file:
        file.create_virtual_dataset("virtual", layout)
        file["linked"] = h5py.ExternalLink("foreign.h5", "/large")
    return found


def create_claimed(file):
    for name, (claimed, chunk, first, before) in CLAIMED.items():
        # Without a claim its parameters are still its own, as it is of its own that is to be told.
        values = (0, claimed) if claimed else (4096,)
        make(file, name, (3, *chunk[1:]), chunk, np.dtype("<i2"), before, values)
        if first is None:
            file[name][...] = pixels(chunk)
        else:
            file[name].id.write_direct_chunk((0, 0, 0), lz4_chunk(pixels(first, 1).tobytes()))
    make(file, "table-short", (40,), (40,), TABLE, (), (8192,))
    file["table-short"].id.write_direct_chunk((0,), lz4_chunk(bytes(33 * TABLE.itemsize)))


def make(file, name, shape, chunk, dtype, before, values=(0,)):
    import h5py

    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(chunk)
    for other in before:
        {"shuffle": plist.set_shuffle, "fletcher32": plist.set_fletcher32, "deflate": lambda: plist.set_deflate(4)}[other]()
    plist.set_filter(LZ4, h5py.h5z.FLAG_OPTIONAL, values)
    datatype = h5py.h5t.py_create(dtype, logical=True)
    h5py.h5d.create(file.id, name.encode(), datatype, h5py.h5s.create_simple(shape), plist)


def fill(file):
    """The data; and past the filter a chunk of as many bytes as one of "small", and one of too many."""
    for name, chunk in {"small": SMALL, "large": LARGE, "checked": SMALL, "packed-before": LARGE}.items():
        file[name][...] = pixels(chunk)
    file["strings"][...] = STRINGS
    file["short"].id.write_direct_chunk((0, 0, 0), lz4_chunk(pixels(SMALL, 1).tobytes()))
    file["long"].id.write_direct_chunk((0, 0, 0), lz4_chunk(pixels(LARGE, 2).tobytes()))


def write_for_static_host(path, values):
    """What static_host.c writes, as one chunk in the form that LZ4 has for what does not shrink: by no plugin."""
    import h5py

    index = np.arange(np.prod(CHUNKS))
    data = np.where(index % 41 == 5, index % 3000 + 1, 0).astype("<i2")
    with h5py.File(path, "w") as file:
        make(file, "frames", CHUNKS, CHUNKS, data.dtype, (), tuple(values))
        file["frames"].id.write_direct_chunk((0, 0, 0), lz4_chunk(data.tobytes()))


def stored(dataset):
    """The parameters of the last filter, and whether every chunk has gone through it."""
    plist = dataset.get_create_plist()
    chunks = [dataset.get_chunk_info(index) for index in range(dataset.get_num_chunks())]
    return [list(plist.get_filter(plist.get_nfilters() - 1)[2]), all(chunk.filter_mask == 0 for chunk in chunks)]


def strings(path):
    import h5py

    with h5py.File(path) as file:
        return [text.decode() for text in file["strings"][...]]


class Session:
    """A host with some datasets open."""

    def __init__(self, host, folder, holding, writable):
        self.hdf5, self.folder = library(host), folder
        self.files = {name: self.hdf5.open_file(f"{folder}/{name}.h5") for name in ("foreign", "virtual")}
        self.held = [self.open(name) for name in holding]
        if writable:
            self.files["other"] = self.hdf5.create_file(f"{folder}/other.h5")

    def open(self, name):
        file = self.files["virtual" if name in ("virtual", "linked") else "foreign"]
        return self.hdf5.call("H5Dopen2", file, name.encode(), 0)

    def read(self, dataset):
        """As Hdf5.read: with a pattern where nothing is written."""
        array = np.full(self.hdf5.shape(dataset), 0x5A5A, "<i2")
        self.hdf5.call("H5Dread", dataset, self.hdf5.datatype("<i2"), 0, 0, 0, array.ctypes.data)
        return array

    def read_raw(self, dataset):
        """Elements of any type, as they are."""
        datatype = self.hdf5.call("H5Dget_type", dataset)
        n_bytes = int(np.prod(self.hdf5.shape(dataset))) * self.hdf5.call("H5Tget_size", datatype)
        array = np.full(n_bytes, 0x5A, np.uint8)
        self.hdf5.call("H5Dread", dataset, datatype, 0, 0, 0, array.ctypes.data)
        return array


def read(host, folder, names, holding=(), writable=False):
    """Reads `names` in this order while `holding` are open: each as a list, or the text of its error."""
    session = Session(host, folder, holding, writable)
    return {name: read_or_text(session, name) for name in names}


def read_or_text(session, name):
    dataset = session.open(name)
    try:
        return session.read(dataset).tolist()
    except Exception as error:
        return str(error)
    finally:
        session.hdf5.call("H5Dclose", dataset)


def read_table(host, folder, writable=False):
    """The bytes of a table whose chunk is too short, or the text of its error."""
    session = Session(host, folder, (), writable)
    try:
        return session.read_raw(session.open("table-short")).tolist()
    except Exception as error:
        return str(error)


def read_among_many(host, folder, n_held, name, n_churned):
    """While very many are open: reads one of them, opens and closes others, and reads `name`, which is opened only then.
    Twice, as another thread would: what was seen before counts for nothing there."""
    session = Session(host, folder, ["small"] * n_held, True)
    found = []
    for _ in range(2):
        for _ in range(3):
            assert np.array_equal(session.read(session.held[-1]), pixels(SMALL))
        for _ in range(n_churned):
            session.hdf5.call("H5Dclose", session.open("small"))
        found.append(read_or_text(session, name))
    return found


def read_held(host, folder, holding, rounds):
    """Reads the datasets that are open, again and again, and says which were read wrongly."""
    session = Session(host, folder, holding, False)
    expected = [pixels(SMALL if name in ("small", "checked") else LARGE) for name in holding]
    return [
        name
        for _ in range(rounds)
        for name, dataset, right in zip(holding, session.held, expected)
        if not np.array_equal(session.read(dataset), right)
    ]


def read_when_the_file_is_closed(host, folder):
    """A dataset keeps its file open, whose own identifier is gone."""
    session = Session(host, folder, ("short",), False)
    for file in session.files.values():
        session.hdf5.close_file(file)
    return session.read(session.held[0]).tolist()


def copy_strings(host, folder):
    """`H5Ocopy`, which decodes what nobody has opened, while a dataset with the same parameters is open."""
    session = Session(host, folder, ("small", "large"), True)
    session.hdf5.call("H5Ocopy", session.files["foreign"], b"strings", session.files["other"], b"strings", 0, 0)
    for dataset in session.held:
        session.hdf5.call("H5Dclose", dataset)
    for file in session.files.values():
        session.hdf5.close_file(file)


def write_links(folder):
    """A group whose links go through the filter; ours takes datasets only."""
    hdf5 = library("h5py")
    plist = hdf5.call("H5Pcreate", hdf5.variable("H5P_CLS_GROUP_CREATE_ID_g"))
    hdf5.call("H5Pset_link_phase_change", plist, 0, 0)
    hdf5.call("H5Pset_filter", plist, LZ4, OPTIONAL, 1, (c_uint32 * 1)(0))
    file = hdf5.create_file(f"{folder}/links.h5")
    group = hdf5.call("H5Gcreate2", file, b"group", 0, plist, 0)
    for number in range(N_LINKS):
        hdf5.call("H5Lcreate_soft", b"nowhere", group, f"link {number}".encode(), 0, 0)
    hdf5.call("H5Gclose", group)
    hdf5.close_file(file)


def find_links(host, folder):
    """How many of the links are found while a dataset with the same parameters is open."""
    session = Session(host, folder, ("small", "large"), False)
    file = session.hdf5.open_file(f"{folder}/links.h5")
    group = session.hdf5.call("H5Gopen2", file, b"group", 0)
    return sum(session.hdf5.call("H5Lexists", group, f"link {number}".encode(), 0) for number in range(N_LINKS))


def error_handling(host, folder, version):
    """What of a chunk of the wrong size is read, whether what the program has set for its errors is still set after it, how
    often that was called, and how many errors are left over after a read that is right."""
    session = Session(host, folder, ("large",), False)
    lib, calls = session.hdf5.lib, []
    handler, is_v2, found, data = ERROR_HANDLERS[version](lambda *_: calls.append(1) or 0), c_uint(), c_void_p(), c_void_p()
    pointer, stack = cast(handler, c_void_p), (0,) if version == 2 else ()
    getattr(lib, f"H5Eset_auto{version}")(*stack, pointer, 77)
    session.read(session.held[0])
    n_left, n_calls = session.hdf5.call("H5Eget_num", 0), len(calls)
    short = read_or_text(session, "short")
    session.hdf5.call("H5Eauto_is_v2", 0, byref(is_v2))
    getattr(lib, f"H5Eget_auto{version}")(*stack, byref(found), byref(data))
    lib.H5Eset_auto2(0, None, None)
    is_kept = is_v2.value == version - 1 and found.value == pointer.value and data.value == 77
    return [short, is_kept, n_calls, n_left]
