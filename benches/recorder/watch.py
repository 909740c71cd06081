"""Reads a file while it is recorded: `watch.py FILE`. Until a line comes by stdin it waits for new frames, and reads the
newest. Then it prints, as JSON, after how many milliseconds frames were read, by the time in their metadata."""

import json
import select
import sys
import time

import h5py
import numpy as np

NAME = "/entry/instrument/detector/data"

with h5py.File(sys.argv[1], swmr=True) as file:
    frames, times, seen, delays = file[NAME], file[f"{NAME}_darkchunk/column0"], 0, []
    while not select.select([sys.stdin], [], [], 0.005)[0]:
        frames.refresh()
        times.refresh()
        n_frames = min(len(frames), len(times))
        if n_frames > seen:
            # As it is stored: the filter is not what is measured.
            frames.id.read_direct_chunk((n_frames - 1, 0, 0))
            pushed = times[seen:n_frames]
            delays.append(1000 * (time.time() - pushed[pushed > 0]))
            seen = n_frames

delays = np.concatenate(delays) if delays else np.zeros(0)
if delays.size:
    found = {"median": np.median(delays), "99.9 %": np.quantile(delays, 0.999), "longest": delays.max()}
    print(json.dumps({"n_frames": seen, **{name: round(float(value), 1) for name, value in found.items()}}))
else:
    print(json.dumps({"n_frames": 0}))
