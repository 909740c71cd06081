"""What the tests of threads have done in a process of their own, by name. See child.py."""

import ctypes
import hashlib
import multiprocessing
import os
import signal
import threading
import time

import numpy as np

from common import PLUGINS, frames
from hdf5 import Hdf5

# Large enough to be divided, whatever the filter.
LARGE = (8, 512, 1024)


def large_frames():
    """A whole chunk and half of one."""
    return frames(12, LARGE[1:], bright=0.05)


def n_tasks():
    return len(os.listdir("/proc/self/task"))


def settled(before):
    """Tasks, once there are no more than `before`, or after a while: a thread that has been joined is listed for some
    more microseconds."""
    deadline = time.monotonic() + 60
    while n_tasks() > before and time.monotonic() < deadline:
        time.sleep(0.001)
    return n_tasks()


def clocks():
    """This thread's seconds of the processor, and those of all threads at the same moment: once more where anything
    came between the two, such as an interrupt, whose time would be taken for that of other threads."""
    while True:
        own, all_of_it, after = time.thread_time(), time.process_time(), time.thread_time()
        if after - own < 5e-5:
            return own, all_of_it


def helped(work):
    """How many seconds of the processor other threads than this one have worked on `work`, and the seconds in all."""
    own, all_of_it = clocks()
    work()
    own, all_of_it = (now - before for now, before in zip(clocks(), (own, all_of_it)))
    return all_of_it - own, all_of_it


def write_large(host, path, number, values):
    import child

    child.WRITE[host](path, number, values, large_frames(), LARGE)


def large_chunks(path):
    """SHA-256 of what is stored, and the filter masks."""
    import h5py

    with h5py.File(path, "r") as file:
        dataset = file["frames"].id
        starts = [dataset.get_chunk_info(index).chunk_offset for index in range(dataset.get_num_chunks())]
        chunks = [dataset.read_direct_chunk(start) for start in sorted(starts)]
        return [(mask, hashlib.sha256(chunk).hexdigest()) for mask, chunk in chunks]


def read_large(host, path):
    """Reads twice and compares; threads before the first time, after the second, and after HDF5's own end."""
    import child

    hdf5 = Hdf5.of(host)
    data = large_frames()
    before = n_tasks()
    outcomes = [child.attempt(child.compare, host, path, data)]
    seconds = helped(lambda: outcomes.append(child.attempt(child.compare, host, path, data)))
    after = settled(before)
    hdf5.lib.H5close()
    return {"outcomes": outcomes, "seconds": seconds, "tasks": [before, after, settled(before)]}


def digest(host, path):
    import child

    return hashlib.sha256(np.ascontiguousarray(child.READ[host](path)).tobytes()).hexdigest()


def read_in_forks(host, path):
    """The parent reads, forks some children that read, and reads again. Returns all digests and the right one."""
    found = [digest(host, path)]
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found += pool.starmap_async(digest, [(host, path)] * 6).get(timeout=120)
    found.append(digest(host, path))
    return {"found": found, "right": hashlib.sha256(large_frames().tobytes()).hexdigest()}


class Filter:
    """The filter function of a plugin, called without any HDF5, which has locks that a fork does not survive."""

    class Class(ctypes.Structure):
        _fields_ = [
            ("numbers", ctypes.c_int * 4),
            ("name", ctypes.c_char_p),
            ("can_apply", ctypes.c_void_p),
            ("set_local", ctypes.c_void_p),
            ("filter", ctypes.c_void_p),
        ]

    def __init__(self, name):
        self.library = ctypes.CDLL(str(PLUGINS / f"lib{name}.so"))
        self.library.H5PLget_plugin_info.restype = ctypes.POINTER(self.Class)
        pointer = ctypes.POINTER
        signature = ctypes.CFUNCTYPE(
            ctypes.c_size_t, ctypes.c_uint, ctypes.c_size_t, pointer(ctypes.c_uint), ctypes.c_size_t,
            pointer(ctypes.c_size_t), pointer(ctypes.c_void_p),
        )
        self.filter = signature(self.library.H5PLget_plugin_info().contents.filter)
        self.libc = ctypes.CDLL(None)
        self.libc.malloc.restype, self.libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        self.libc.free.argtypes = [ctypes.c_void_p]

    def __call__(self, flags, values, given):
        """The bytes that come out; nothing where it fails."""
        buffer, size = ctypes.c_void_p(self.libc.malloc(len(given))), ctypes.c_size_t(len(given))
        ctypes.memmove(buffer, given, len(given))
        array = (ctypes.c_uint * len(values))(*values)
        n_bytes = self.filter(flags, len(values), array, len(given), ctypes.byref(size), ctypes.byref(buffer))
        out = ctypes.string_at(buffer, n_bytes)
        self.libc.free(buffer)
        return out

    def unload(self):
        self.libc.dlclose.argtypes = [ctypes.c_void_p]
        assert self.libc.dlclose(self.library._handle) == 0


DECODE = 0x100


def fork_at_any_moment(name, values, n_forks):
    """Forks while another thread is in the filter all the time. Returns how the children ended, and what is left over."""
    before, plugin = n_tasks(), Filter(name)
    data = large_frames()[: LARGE[0]].tobytes()
    values = [*values, len(data)]
    chunk, stop = plugin(0, values, data), threading.Event()
    assert chunk and plugin(DECODE, values, chunk) == data

    def decode():
        while not stop.is_set():
            assert plugin(DECODE, values, chunk) == data

    busy = threading.Thread(target=decode)
    busy.start()
    ends = []
    for _ in range(n_forks):
        child = os.fork()
        if child == 0:
            # A child that waits for ever is ended by this.
            signal.alarm(60)
            os._exit(0 if plugin(DECODE, values, chunk) == data and plugin(0, values, data) == chunk else 1)
        ends.append(os.waitpid(child, 0)[1])
    stop.set()
    busy.join()
    plugin.unload()
    return {"ends": ends, "tasks": [before, settled(before)]}
