"""What the tests of the wheel share. They run against the installed wheel, never against this folder."""

import json
import os
import random
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import numpy as np

import darkchunk

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Frames of real detectors, which need not be there.
DATA = Path(os.environ.get("DARKCHUNK_DATA", ROOT.parent / "shared" / "data"))
HOSTS = ["h5py", "tables", "netCDF4"]
# `cargo xtask prove wheel` asks for all cases.
IS_FULL = os.environ.get("DARKCHUNK_FULL") == "1"
# A netCDF4 that has plugins of its own, for PYTHONPATH.
NETCDF = os.environ.get("DARKCHUNK_NETCDF")
SHAPE = (4, 33, 47)
FILTERS = [
    darkchunk.DRLE(),
    darkchunk.DRLE(mode="bare"),
    darkchunk.DRLE(mode="packed"),
    darkchunk.Bitshuffle(),
    darkchunk.Bitshuffle(cname="none"),
    darkchunk.Bitshuffle(cname="zstd", clevel=5),
    darkchunk.Blosc(),
    darkchunk.Blosc(cname="zstd", clevel=3, shuffle=darkchunk.Blosc.BITSHUFFLE),
    darkchunk.LZ4(),
    darkchunk.LZ4(nbytes=4096),
    darkchunk.Zstd(),
    darkchunk.Zstd(clevel=-2),
    darkchunk.Bounded(),
]


def sample(items, n):
    """`n` of these, the same ones every time; all of them where the full numbers are asked for."""
    items = list(items)
    return items if IS_FULL or n >= len(items) else random.Random(36114).sample(items, n)


ORDERS = [list(order) for order in permutations(["darkchunk", *HOSTS])]


def frames(dtype="<i2", shape=(9, *SHAPE[1:])):
    """Mostly zeros, the same ones every time."""
    rng = np.random.default_rng(7)
    values = rng.integers(1, 100, shape)
    return np.where(rng.random(shape) < 0.05, values, 0).astype(dtype)


def environment(**more):
    """This process's, without what `import darkchunk` put into it, and without a way to a compiler."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HDF5_PLUGIN", "DARKCHUNK_AUTO"))}
    env |= {"HDF5_USE_FILE_LOCKING": "FALSE", "PATH": str(Path(sys.executable).parent)}
    return env | {name: str(value) for name, value in more.items()}


def python(code, *arguments, **more):
    """Runs `code` in a new process; the finished process."""
    # One that hangs says where, and ends.
    code = f"import faulthandler; faulthandler.dump_traceback_later(150, exit=True)\n{code}"
    command = [sys.executable, "-X", "faulthandler", "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment(**more), capture_output=True, text=True, timeout=300)


def result(code, *arguments, **more):
    """What `code` prints last, which is JSON; anything but a good end is an AssertionError."""
    done = python(code, *arguments, **more)
    assert done.returncode == 0, f"ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def action(name, **arguments):
    """Calls a function of host_child.py in a new process and returns what it returns."""
    path = os.pathsep.join([str(HERE), *([NETCDF] if arguments.pop("own_netcdf", False) else [])])
    code = "import sys, json, host_child as h; print(json.dumps(getattr(h, sys.argv[1])(**json.loads(sys.argv[2]))))"
    env = arguments.pop("env", {})
    return result(code, name, json.dumps(arguments, default=str), PYTHONPATH=path, **env)
