"""Whether a sample recommends what a run over all frames finds best, on six kinds of real data and on noise.

Each of size, speed and recommendation must be within 5 % of the best that the full run has. usage: trials.py COMMAND
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

from common import DATA

LINK = 250e6
KINDS = {
    "ion tracks": "vmi/minipix_tracks_int16.h5:/exposure_0p5s",
    "diffraction spots": "mx/pilatus6m_thaumatin_3frames_int32.h5:/frames",
    "integrating detector": "mx/jungfrau_module_raw_and_photons.h5:/raw",
    "coherent diffraction": "saxs_xpcs/coherent_diffraction_siemens_star_uint16.h5:/frames",
    "tomography": "tomography/dls_24737_projections_uint16.h5:/projections",
    "microscopy, 8 bit": "timeseries/confocal_particles_uint8.h5:/frames",
}


def work(trial):
    return 1 / trial["encode"] + 1 / trial["decode"]


def time(trial):
    return 1 / trial["encode"] + 2 / trial["decode"] + 3 / (trial["ratio"] * LINK)


SCORES = {"size": lambda trial: 1 / trial["ratio"], "speed": work, "recommended": time}


def run(command, source, *arguments):
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)
    words = [command, "try", source, "--no-disk", "--json", *arguments]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    *trials, summary = map(json.loads, done.stdout.splitlines())
    return [trial for trial in trials if "refused" not in trial], summary


def judge(kind, command, source):
    # A tenth of the dataset, so that it is a sample.
    part, picks = run(command, source, "--sample", "1" if "tomography" in source else "4")
    full, best = run(command, source, "--all")
    by_name = {(trial["spec"], tuple(trial["chunk"])): trial for trial in full}
    is_good = True
    for name, score in SCORES.items():
        if picks[name] is None or best[name] is None:
            is_good &= picks[name] is best[name]
            print(f"{kind:24}{name:12} nothing helps, and nothing does" if picks[name] is best[name] else f"{kind}: {name}: FAILED")
            continue
        pick = by_name[part[picks[name]]["spec"], tuple(part[picks[name]]["chunk"])]
        of_best = full[best[name]]
        excess = score(pick) / score(of_best) - 1
        is_good &= excess <= 0.05
        verdict = "" if excess <= 0.05 else "  FAILED"
        chosen, other = (f"{t['spec']} {t['chunk']}" for t in (pick, of_best))
        print(f"{kind:24}{name:12} {chosen}: {100 * excess:+.1f} % of {other} ({picks['bytes']} of {best['bytes']} bytes){verdict}")
    return is_good


def main():
    command = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        noise = Path(folder) / "noise.h5"
        with h5py.File(noise, "w") as file:
            data = np.random.default_rng(1).integers(0, 65536, (64, 256, 256)).astype("u2")
            file.create_dataset("data", data=data, chunks=(1, 256, 256))
        sources = {kind: f"{DATA}/{path}" for kind, path in KINDS.items()} | {"noise": str(noise)}
        good = [judge(kind, command, source) for kind, source in sources.items()]
    print(f"{sum(good)} of {len(good)} kinds of data: the sample's choices are within 5 % of the best of a full run")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
