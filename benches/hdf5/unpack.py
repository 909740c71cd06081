"""Unpacks real detector frames for the benchmark program, which links no HDF5.

usage: unpack.py DATA_FOLDER OUTPUT_FOLDER

Writes one file of raw little-endian pixels a dataset, and index.json. Small frames are put together to frames of about
2 MiB, as a camera's would be.
"""

import json
import pathlib
import sys

import h5py
import hdf5plugin  # noqa: F401  (the EIGER frame is bitshuffle-LZ4)

DATASETS = [
    # name in the tables, file, dataset, frames put together, whether a quick run has it
    ("EIGER 4M uint32 (real)", "mx/eiger4m_1frame_bslz4_uint32.h5", "entry/data/data", 1, True),
    ("PILATUS 6M int32 (real)", "mx/pilatus6m_thaumatin_3frames_int32.h5", "frames", 1, False),
    ("JUNGFRAU photons int16 (real)", "mx/jungfrau_module_raw_and_photons.h5", "photons_int16", 2, False),
    ("MiniPIX tracks 3 s int16 (real)", "vmi/minipix_tracks_int16.h5", "exposure_3s", 16, False),
    ("Siemens star uint16 (real)", "saxs_xpcs/coherent_diffraction_siemens_star_uint16.h5", "frames", 64, False),
]


def main() -> None:
    data, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    index = []
    for number, (name, file, dataset, together, quick) in enumerate(DATASETS):
        if not (data / file).exists():
            print(f"skipped: {name}: no {data / file}")
            continue
        with h5py.File(data / file) as source:
            frames = source[dataset][:]
        n_frames = len(frames) // together
        frames = frames[: n_frames * together].reshape(n_frames, -1, frames.shape[-1])
        raw = f"{number}.raw"
        frames.tofile(output / raw)
        _, height, width = frames.shape
        index.append(
            {"name": name, "file": raw, "dtype": frames.dtype.name, "height": height, "width": width, "quick": quick}
        )
    (output / "index.json").write_text(json.dumps(index, indent=1))


main()
