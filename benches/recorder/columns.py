"""What the metadata of a frame costs in Python: `columns.py TURNS FOLDER LIBRARY`. Prints a line of JSON for each way.

`columns.rs` says what is measured. The package is that of this repository with the library LIBRARY.
"""

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (16, 16)
N_COLUMNS, N_FRAMES, AT_ONCE = 14, 20_000, 100


def package(folder, library):
    """Puts the package and the library together, where they can be imported from."""
    made = folder / "package/darkchunk"
    shutil.copytree(ROOT / "python/darkchunk", made, dirs_exist_ok=True)
    (made / "lib").mkdir(exist_ok=True)
    shutil.copy(library, made / "lib")
    sys.path.insert(0, str(made.parent))


def one_by_one(recorder, frame, names):
    start = time.process_time()
    for number in range(N_FRAMES):
        recorder.push(frame, number, **dict.fromkeys(names, number))
    return time.process_time() - start


def many(recorder, frame, names):
    frames = np.broadcast_to(frame, (AT_ONCE, *SHAPE)).copy()
    columns = {name: np.arange(AT_ONCE, dtype="f8") for name in names}
    start = time.process_time()
    for _ in range(0, N_FRAMES, AT_ONCE):
        recorder.push_many(frames, **columns)
    return time.process_time() - start


def turn(path, way, n_columns):
    import darkchunk

    names = [f"column{n}" for n in range(n_columns)]
    path.unlink(missing_ok=True)
    options = {"workers": 0, "sum": False, "columns": dict.fromkeys(names, "f8")}
    with darkchunk.Recorder(path, "data", SHAPE, "uint16", darkchunk.LZ4(), **options) as recorder:
        return 1e6 * way(recorder, np.ones(SHAPE, "uint16"), names) / N_FRAMES


def main():
    turns, folder = int(sys.argv[1]), Path(sys.argv[2])
    package(folder, sys.argv[3])
    for name, way in {"Python, push": one_by_one, "Python, push_many": many}.items():
        best = [np.inf, np.inf]
        for _ in range(turns):
            best = [
                min(found, turn(folder / "columns.h5", way, n)) for found, n in zip(best, (0, N_COLUMNS), strict=True)
            ]
        print(json.dumps({"name": name, "without": best[0], "with": best[1]}), flush=True)


main()
