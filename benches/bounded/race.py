"""The bounded codec and its peers on the same frames: ratio, speed, and the largest error, which is checked.

usage: race.py --library FILE [--data FOLDER] [--traces FILE] [--rounds N] [--quick] [--json FILE] [--record FOLDER] [--only TEXT]

--quick: two rounds, exact and one sigma, and of a dataset at most 5 frames.
--record: a table of all ratios with the largest errors, and a chart, as bounded.md and bounded.svg in a folder.

One thread, processor time, the best of N rounds in which all take turns. Everything is decoded and held against its bound. A peer that
knows no bound gets the values that ours would store, as numbers without gaps, and does not pay for that: its speed is that of the
lossless codec alone. Masked pixels are 0 for all but ours. Chunks have 16 frames, or as many as there are.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time
import warnings

import floats
import record
from codec import Codec

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEVELS = ("avx512", "avx2", "scalar")


def by_frame(encode, decode):
    """Both directions for an image codec."""
    import numpy as np

    return (lambda a: [encode(frame) for frame in a], lambda stored, a: np.stack([decode(part) for part in stored]))


def is_narrow(a):
    return a.dtype.kind == "u" and a.dtype.itemsize <= 2


def lossless_peers():
    import imagecodecs as ic
    import numpy as np

    def shuffled(a):
        return np.asarray(ic.bitshuffle_encode(a.reshape(-1)[: a.size // 8 * 8], itemsize=a.itemsize))

    def unshuffled(stored, a):
        raw = np.frombuffer(ic.zstd_decode(stored[0]), a.dtype)
        return np.concatenate([np.asarray(ic.bitshuffle_decode(raw, itemsize=a.itemsize)), stored[1]]).reshape(a.shape)

    jpeg_xl = {"lossless": True, "numthreads": 1}
    return [
        Codec(
            "Zstd 1",
            lambda a: [ic.zstd_encode(a, level=1)],
            lambda stored, a: np.frombuffer(ic.zstd_decode(stored[0], out=a.nbytes), a.dtype).reshape(a.shape),
        ),
        Codec(
            "bitshuffle, Zstd 3",
            lambda a: [ic.zstd_encode(shuffled(a), level=3), a.reshape(-1)[a.size // 8 * 8 :]],
            unshuffled,
        ),
        Codec("JPEG-LS", *by_frame(ic.jpegls_encode, ic.jpegls_decode), is_narrow),
        Codec("HTJ2K", *by_frame(lambda f: ic.htj2k_encode(f, reversible=True), ic.htj2k_decode), is_narrow),
        Codec(
            "JPEG XL, effort 1",
            *by_frame(lambda f: ic.jpegxl_encode(f, effort=1, **jpeg_xl), lambda b: ic.jpegxl_decode(b, numthreads=1)),
            is_narrow,
        ),
        Codec(
            "JPEG XL, effort 3",
            *by_frame(lambda f: ic.jpegxl_encode(f, effort=3, **jpeg_xl), lambda b: ic.jpegxl_decode(b, numthreads=1)),
            is_narrow,
        ),
        Codec(
            "pcodec 8",
            lambda a: [ic.pcodec_encode(a, level=8)],
            lambda stored, a: ic.pcodec_decode(stored[0], a.shape, a.dtype),
            lambda a: a.itemsize > 1,
        ),
    ]


def peers_within(counts):
    """Codecs that know an absolute bound."""
    import imagecodecs as ic
    import numpy as np

    def unfloated(stored, a):
        ends = np.iinfo(a.dtype)
        return np.clip(np.rint(ic.sz3_decode(stored[0], a.shape, np.dtype("f4"))), ends.min, ends.max).astype(a.dtype)

    return [
        Codec("JPEG-LS", *by_frame(lambda f: ic.jpegls_encode(f, level=counts), ic.jpegls_decode), is_narrow),
        Codec(
            "SZ3, 3-D, float32",
            lambda a: [ic.sz3_encode(a.astype("f4"), mode="abs", abs=counts)],
            unfloated,
            lambda a: a.max(initial=0) < 1 << 24,
        ),
    ]


def ours(given, name="ours, each frame alone"):
    import darkchunk
    import numpy as np

    codec = darkchunk.Bounded(**given)

    def decode(stored, a):
        return darkchunk.decode_chunk(stored[0], codec, a.dtype, a.shape, out=np.empty_like(a))

    return Codec(name, lambda a: [darkchunk.encode_chunk(a, codec)], decode)


def generated():
    """Frames of a counter and of a camera, the same on every machine."""
    import numpy as np

    rng = np.random.default_rng(1)
    y, x = np.mgrid[:512, :512]
    radius = np.hypot(y - 200, x - 280)
    rings = 3 * np.exp(-radius / 120) + 2 * np.exp(-(((radius - 90) / 5) ** 2))
    yield "generated counter, uint32", rng.poisson(rings, (8, 512, 512)).astype("u4"), {}, 0.2
    scene = 4000 + 3000 * np.sin(y / 40) * np.cos(x / 70)
    frames = 98 + 2 * rng.poisson(scene, (8, 512, 512)) + np.rint(rng.normal(0, 3, (8, 512, 512))).astype(int)
    yield "generated camera, uint16", frames.astype("u2"), {"gain": 2, "offset": 98, "variance": 9}, 4000


REAL = [
    ("tomography, uint16", "tomography/dls_24737_projections_uint16.h5", "projections", {"gain": 2.05, "offset": 98}),
    ("Siemens star, uint16", "saxs_xpcs/coherent_diffraction_siemens_star_uint16.h5", "frames", {}),
    ("EIGER 9M quadrants, uint32", "saxs_xpcs/eiger9m_quadrants_5frames_uint32.h5", "port_50021", {}),
    ("EIGER 4M, uint32", "mx/eiger4m_1frame_bslz4_uint32.h5", "entry/data/data", {}),
    ("PILATUS 6M, int32", "mx/pilatus6m_thaumatin_3frames_int32.h5", "frames", {}),
    ("JUNGFRAU photons, int16", "mx/jungfrau_module_raw_and_photons.h5", "photons_int16", {}),
    ("beads, uint16", "lowlight_camera/stuck_beads_camera_uint16.h5", "frames", {"gain": 0.001, "variance": 23.6}),
]


SAMPLES = 10_000


def sets(folder, traces):
    import numpy as np

    yield from ((name, frames, noise) for name, frames, noise, _ in generated())
    if traces is not None:
        samples = np.fromfile(traces, "<u2").reshape(8, -1, SAMPLES)
        noise = {"gain": 0.001, "variance": 6.25}
        yield "digitiser, a trace a row", samples, noise
        yield "digitiser, a trace a column", np.ascontiguousarray(samples.transpose(0, 2, 1)), noise
    if folder is None:
        return
    import h5py
    import hdf5plugin  # noqa: F401

    for name, file, dataset, noise in REAL:
        if (folder / file).exists():
            with h5py.File(folder / file) as opened:
                yield name, np.ascontiguousarray(opened[dataset][:16]), noise


def unmasked(a):
    """Without the values that stand for no measurement, and in 16 bits where they fit."""
    import numpy as np

    is_mark = a < 0 if a.dtype.kind == "i" and a.itemsize == 4 else a == np.iinfo(a.dtype).max
    plain = np.where(is_mark & (a.itemsize > 1), 0, a)
    return plain.astype("u2") if plain.min() >= 0 and plain.max() < 1 << 16 else plain.astype(a.dtype)


def timed(call):
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


class Race:
    def __init__(self, rounds):
        self.rounds, self.rows = rounds, []

    def run(self, name, bound, entries):
        """Entries: a codec, its pixels, their size in the dataset, and a check of what is decoded: the largest error."""
        best = {}
        for _ in range(self.rounds):
            for index, (codec, a, _, _) in enumerate(entries):
                encode, stored = timed(lambda: codec.encode(a))
                decode, decoded = timed(lambda: codec.decode(stored, a))
                before = best.get(index, (encode, decode))
                best[index] = min(encode, before[0]), min(decode, before[1]), stored, decoded
        for index, (codec, _, n_bytes, check) in enumerate(entries):
            encode, decode, stored, decoded = best[index]
            size = sum(len(part) if isinstance(part, bytes) else memoryview(part).nbytes for part in stored)
            row = {
                "frames": name,
                "bound": bound,
                "codec": codec.name,
                "ratio": n_bytes / size,
                "encode": n_bytes / max(encode, 1e-9) / 1e9,
                "decode": n_bytes / max(decode, 1e-9) / 1e9,
                "error": check(decoded),
            }
            self.rows.append(row)
            print(
                f"{name:28} {bound:12} {codec.name:30} ratio {row['ratio']:7.2f}  encode {row['encode']:6.3f}"
                f"  decode {row['decode']:6.3f} GB/s  largest error {row['error']}",
                flush=True,
            )


def check(a, tolerance):
    """A function that gives the largest error, if each pixel is within its tolerance."""
    import numpy as np

    def largest(decoded):
        errors = np.abs(decoded.astype(np.int64) - a.astype(np.int64))
        assert decoded.shape == a.shape and (errors <= tolerance).all(), "a pixel is off by more than its bound"
        return int(errors.max())

    return largest


def check_floats(a, error, is_ours):
    """The same of float32, as a share of the bound. Peers may round beyond theirs; where nothing may be lost, none does."""
    import numpy as np

    def largest(decoded):
        most = float(np.abs(decoded.astype("f8") - a).max())
        assert decoded.shape == a.shape and (most <= error or error > 0 and not is_ours), "a pixel is off by too much"
        return f"{most / error:.4f} E" if error else 0

    return largest


def entries_of_floats(a, share, only_ours):
    """All that race for a share of the range of all values."""
    error = share * (float(a.max()) - float(a.min()))
    given = {"absolute": error} if share else {}
    entries = [(ours(given), a, a.nbytes, check_floats(a, error, True))]
    entries.append((ours(given | {"reference": "previous"}, "ours, from the frame before"), *entries[0][1:]))
    if not only_ours:
        peers = floats.peers_within(a, error) if share else lossless_peers()
        entries += [(c, a, a.nbytes, check_floats(a, error, False)) for c in peers if c.takes(a)]
    return entries


def tolerance(a, sigmas, noise):
    import numpy as np

    variance = noise.get("gain", 1) * (a.astype(float) - noise.get("offset", 0)) + noise.get("variance", 0)
    # A thousandth for a gain that is stored as a ratio.
    return np.sqrt(np.maximum(variance, 0)) * sigmas / 2 * 1.001


def entries_of(a, bound, noise, only_ours):
    """All that race for a bound."""
    import numpy as np

    name, given = bound
    if "noise" in given:
        within = tolerance(a, given["noise"], noise)
        given = given | noise
    else:
        within = given.get("absolute", 0)
    reference = {"reference": "previous"} if len(a) > 4 else {}
    entries = [(ours(given), a, a.nbytes, check(a, within))]
    if reference:
        entries.append((ours(given | reference, "ours, from the frame before"), a, a.nbytes, check(a, within)))
    if only_ours:
        return entries
    plain, peers = unmasked(a), lossless_peers()
    if given:
        # What ours would store, as numbers without gaps.
        kept = unmasked(entries[0][0].decode(entries[0][0].encode(a), a))
        known, numbers = np.unique(kept, return_inverse=True)
        numbers = numbers.reshape(a.shape).astype("u1" if len(known) <= 256 else "u2")
        for codec in peers:
            codec.name += ", of our levels"
        entries += [(c, numbers, a.nbytes, check(numbers, 0)) for c in peers if c.takes(numbers)]
    else:
        entries += [(c, plain, a.nbytes, check(plain, 0)) for c in peers if c.takes(plain)]
    if "absolute" in given:
        entries += [
            (c, plain, a.nbytes, check(plain, given["absolute"])) for c in peers_within(given["absolute"]) if c.takes(plain)
        ]
    return entries


BOUNDS = [
    ("exact", {}),
    ("1 count", {"absolute": 1}),
    ("4 counts", {"absolute": 4}),
    ("half a sigma", {"noise": 0.5}),
    ("one sigma", {"noise": 1}),
    ("two sigma", {"noise": 2}),
]


def race(options):
    sys.path.insert(0, str(ROOT / "python"))
    import darkchunk._native

    darkchunk._native.path = lambda: options.library
    level = darkchunk._native.library().dc_level().decode()
    print(f"level {level}", flush=True)
    race = Race(2 if options.quick else options.rounds)
    for name, frames, noise in sets(options.data, options.traces):
        frames = frames[:5] if options.quick else frames
        for bound in BOUNDS:
            if options.quick and bound[0] not in ("exact", "one sigma"):
                continue
            if options.only is None or options.only in f"{name} {bound[0]}":
                race.run(name, bound[0], entries_of(frames, bound, noise, options.only_ours))
    for name, frames in floats.sets(options.data):
        for share in (1e-3,) if options.quick else (0, 1e-4, 1e-3, 1e-2):
            bound = f"{share:g} of range" if share else "exact"
            if options.only is None or options.only in f"{name} {bound}":
                race.run(name, bound, entries_of_floats(frames, share, options.only_ours))
    return {"level": level, "rows": race.rows}


def at_level(level, arguments):
    """Ours alone in a process of its own, at a level that may be lower than this machine's."""
    command = [sys.executable, __file__, *arguments, "--only-ours"]
    return subprocess.run(command, env=os.environ | {"DARKCHUNK_MAX_LEVEL": level}).returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--traces", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--record", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--only")
    parser.add_argument("--only-ours", action="store_true")
    options = parser.parse_args()
    os.environ.update(DARKCHUNK_AUTO="0", OMP_NUM_THREADS="1")
    warnings.simplefilter("ignore", DeprecationWarning)
    found = race(options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    if options.record and not options.only_ours:
        record.write(options.record, found)
    if not options.only_ours:
        arguments = [argument for argument in sys.argv[1:]]
        for option in ("--json", "--record"):
            if option in arguments:
                at = arguments.index(option)
                del arguments[at : at + 2]
        for level in LEVELS[LEVELS.index(found["level"]) + 1 :] if found["level"] in LEVELS else []:
            if at_level(level, arguments):
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
