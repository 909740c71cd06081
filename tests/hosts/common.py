"""What all host tests share: the filters and parameters that are tried, the frames, and work in other processes."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLUGINS = Path(os.environ.get("DARKCHUNK_PLUGINS", ROOT / "dist" / "plugins")).resolve()
DATA = Path(os.environ.get("DARKCHUNK_DATA", ROOT.parent / "shared" / "data")).resolve()
# A netCDF4 with plugins of its own, for PYTHONPATH; see requirements-netcdf.txt.
NETCDF = Path(os.environ.get("DARKCHUNK_NETCDF", ROOT / ".venv-netcdf")).resolve()
NAMES = ["h5drle", "h5bitshuffle", "h5blosc", "h5lz4", "h5zstd", "h5bounded"]

DRLE, BITSHUFFLE, BLOSC, LZ4, ZSTD, BOUNDED = 36114, 32008, 32001, 32004, 32015, 36115
COMPRESSORS = ["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"]
SHUFFLES = ["none", "byte", "bit"]
HOSTS = ["h5py", "tables", "netCDF4"]

# What a user gives for each filter: (number, parameters).
CONFIGS = {
    "drle": (DRLE, (1,)),
    "drle-bare": (DRLE, (1, 1)),
    "drle-packed": (DRLE, (1, 2)),
    "drle-segments": (DRLE, (1, 0, 500)),
    "bitshuffle": (BITSHUFFLE, (0, 0)),
    "bitshuffle-lz4": (BITSHUFFLE, (0, 2)),
    "bitshuffle-zstd": (BITSHUFFLE, (0, 3, 4)),
    "blosc": (BLOSC, (0, 0, 0, 0, 5, 1, 0)),
    "blosc-lz4-bit": (BLOSC, (0, 0, 0, 0, 5, 2, 1)),
    "blosc-zlib-byte": (BLOSC, (0, 0, 0, 0, 5, 1, 4)),
    "blosc-zstd-byte": (BLOSC, (0, 0, 0, 0, 5, 1, 5)),
    "lz4": (LZ4, ()),
    "lz4-blocks": (LZ4, (4096,)),
    "zstd": (ZSTD, (3,)),
    "bounded": (BOUNDED, ()),
    "bounded-previous": (BOUNDED, (0, 0, 0, 0, 0, 0, 0, 0, 0, 3)),
}
CHUNKS = (4, 33, 47)


# `cargo xtask prove hosts` asks for all cases where the tests take a sample.
IS_FULL = os.environ.get("DARKCHUNK_FULL") == "1"


def sample(items, n):
    """`n` of these, in their order and the same ones every time; all of them where the full numbers are asked for."""
    items = list(items)
    if IS_FULL or n >= len(items):
        return items
    chosen = set(random.Random(36114).sample(range(len(items)), n))
    return [item for index, item in enumerate(items) if index in chosen]


def frames(n_frames=10, shape=CHUNKS[1:], dtype="<i2", bright=0.02, seed=1):
    """Dark frames with bright spots, the same ones for the same arguments."""
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 4000 if np.dtype(dtype).itemsize > 1 else 200, (n_frames, *shape))
    return np.where(rng.random((n_frames, *shape)) < bright, values, 0).astype(dtype)


def environment(plugin_path=PLUGINS, **more):
    """This process's environment with another plugin folder, or with None."""
    env = dict(os.environ, PYTHONPATH=str(HERE), HDF5_PLUGIN_PATH=str(plugin_path), HDF5_USE_FILE_LOCKING="FALSE")
    if plugin_path is None:
        env.pop("HDF5_PLUGIN_PATH")
    env.pop("PYTHONSTARTUP", None)
    return env | {name: str(value) for name, value in more.items()}


def child(action, *, plugin_path=PLUGINS, env=None, **arguments):
    """Calls `action` of child.py in a new process and returns what it returns; a crash is an AssertionError."""
    command = [sys.executable, "-X", "faulthandler", str(HERE / "child.py"), action, json.dumps(arguments, default=str)]
    done = subprocess.run(
        command, env=environment(plugin_path, **(env or {})), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{action} {arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def tool(*command, plugin_path=PLUGINS):
    """Runs one of HDF5's or netCDF's own tools; returns the finished process."""
    command = [str(part) for part in command]
    return subprocess.run(command, env=environment(plugin_path), capture_output=True, text=True, timeout=300)
