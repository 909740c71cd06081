"""One host reads all cases and says what became of each: `python host.py HOST FILES.json`, one line of JSON a case.

A host is a Python package, or a libhdf5 alone. Cases are read in batches, each in a forked process, so that a crash ends
a batch and not the run; then the case that it died of is read alone, which tells whether
it was its crash. `MALLOC_PERTURB_` is to be set: new memory is then full of one byte, freed memory of its
complement, and a run with another byte shows what was never written. HDF5 keeps no free lists, which would hide that.
"""

import ctypes
import hashlib
import json
import os
import resource
import select
import signal
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hosts"))

from hdf5 import Hdf5, library_path  # noqa: E402

BATCH = 100
# So long a case may take: much longer than any does, also on a busy machine.
SECONDS = 60
# What a case may take beyond what the process has: more than any sound one needs, and no danger to the machine.
MORE_MEMORY = 1 << 30
DEBIAN = "/usr/lib/x86_64-linux-gnu/libhdf5_serial.so.103"


def open_with_h5py():
    import h5py

    return library_path("h5py"), lambda path: h5py.File(path, "r"), lambda file, name: file[name][()]


def open_with_tables():
    import tables

    return library_path("tables"), tables.open_file, lambda file, name: file.get_node(f"/{name}")[...]


def open_with_netcdf():
    import netCDF4

    def open_file(path):
        file = netCDF4.Dataset(path, "r")
        file.set_auto_maskandscale(False)
        return file

    return library_path("netCDF4"), open_file, lambda file, name: file.variables[name][...]


def alone(path):
    """A libhdf5 without a package around it."""
    hdf5 = Hdf5(path)

    def read(file, name):
        return hdf5.read(file, name, "<i2")

    return path, lambda file: file, read


HOSTS = {
    "h5py": open_with_h5py,
    "PyTables": open_with_tables,
    "netCDF4": open_with_netcdf,
    # PyTables brings a Blosc filter of its own: only without it a Blosc plugin is used by its HDF5.
    "HDF5 1.14.6": lambda: alone(library_path("tables")),
    "HDF5 1.10.8": lambda: alone(DEBIAN),
}


def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def outcome(read, file, name, right, patterns):
    """{"class": error | right | other, …} and the memory it took in KiB."""
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")
    before = memory("VmRSS")
    try:
        data = np.asarray(read(file, name)).tobytes()
    except Exception as error:
        found = {"class": "error", "text": f"{type(error).__name__}: {error}"[:2000]}
    else:
        if data == right:
            found = {"class": "right"}
        else:
            is_visible = any(bytes([pattern]) * 8 in data for pattern in patterns)
            found = {"class": "other", "sha": hashlib.sha256(data).hexdigest(), "pattern": is_visible}
    return found | {"kib": max(0, memory("VmHWM") - before)}


def read_batch(host, path, names, right, patterns, pipe):
    """In the child: reads and reports until done, or dead."""
    _, open_file, read = host
    limit = memory("VmSize") * 1024 + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Some filters print.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    file = open_file(path)
    for name in names:
        os.write(pipe, (json.dumps({"name": name} | outcome(read, file, name, right, patterns)) + "\n").encode())
    os._exit(0)


def forked(*arguments):
    """What a child reported, and how it ended: None, "crashed (…)" or "hung"."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        try:
            read_batch(*arguments, theirs)
        except BaseException:
            os._exit(99)
    os.close(theirs)
    text, end = b"", None
    while True:
        if not select.select([ours], [], [], SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
            end = "hung"
            break
        part = os.read(ours, 1 << 16)
        if not part:
            break
        text += part
    os.close(ours)
    status = os.waitpid(child, 0)[1]
    if end is None and status != 0:
        end = f"crashed ({signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else status})"
    return [json.loads(line) for line in text.splitlines() if line.endswith(b"}")], end


def outcomes(host, path, names, right, patterns):
    """What became of each. Where a batch dies, the case that it died of is tried alone, and the rest goes on behind it."""
    rows = []
    while names:
        done, end = forked(host, path, names, right, patterns)
        names = names[len(done):]
        if end is not None and names:
            alone, end = forked(host, path, names[:1], right, patterns)
            if end is None:
                # Not of this one: an earlier one has damaged the heap.
                done = [one for row in done for one in single(host, path, row["name"], right, patterns)]
            done += alone or [ended(names[0], end)]
            names = names[1:]
        rows += done
    return rows


def single(host, path, name, right, patterns):
    done, end = forked(host, path, [name], right, patterns)
    return done or [ended(name, end)]


def ended(name, end):
    return {"name": name, "class": end.split()[0], "text": end, "kib": 0}


def main(name, files):
    perturb = int(os.environ.get("MALLOC_PERTURB_", "0"))
    patterns = [perturb, perturb ^ 0xFF] if perturb else []
    host = HOSTS[name]()
    # The library keeps nothing that was freed; a case then gets memory from malloc.
    library = ctypes.CDLL(host[0])
    library.H5set_free_list_limits(0, 0, 0, 0, 0, 0)
    job = json.loads(Path(files).read_text())
    right = Path(job["right"]).read_bytes()
    for path, names in job["files"]:
        for start in range(0, len(names), BATCH):
            for one in outcomes(host, path, names[start: start + BATCH], right, patterns):
                print(json.dumps(one), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
