"""Sends the cases through a host twice, with two patterns in fresh memory, and judges what became of each.

error: a clean error. right: the right data. other: whole pixels, the same in both runs, that are not the right ones.
leaked: bytes that differ between the runs, or the pattern itself. crashed: ended by a signal. hung: no answer in time.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATTERNS = (0x5A, 0x2D)
CLASSES = ["crashed", "hung", "leaked", "other", "error", "right"]


def run(host, job, plugins, pattern):
    env = dict(os.environ, HDF5_PLUGIN_PATH=str(plugins), MALLOC_PERTURB_=str(pattern), HDF5_USE_FILE_LOCKING="FALSE")
    command = [sys.executable, str(HERE / "host.py"), host, str(job)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{host}: {done.stderr[-3000:]}"
    return {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


def job(folder, values="stored", changes=(), n_generated=None):
    """Writes the files of `cases.all_cases`; returns what the hosts are told. No plugin is near: parameters stay."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    command = [sys.executable, str(HERE / "cases.py"), str(folder), values]
    command += [json.dumps(changes), json.dumps(n_generated)]
    subprocess.run(command, env=dict(os.environ, HDF5_PLUGIN_PATH=str(folder / "none")), check=True)
    return folder / "job.json"


def verdict(first, second):
    classes = {first["class"], second["class"]}
    for worst in ("crashed", "hung"):
        if worst in classes:
            return worst
    if "other" not in classes:
        return first["class"] if len(classes) == 1 else "leaked"
    differs = first.get("sha") != second.get("sha")
    return "leaked" if differs or first.get("pattern") or second.get("pattern") else "other"


def judged(host, description, plugins):
    """{case name: {"class", "text", "kib"}}"""
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda pattern: run(host, description, plugins, pattern), PATTERNS)
    assert first.keys() == second.keys()
    return {
        name: {"class": verdict(row, second[name]), "text": row.get("text", ""), "kib": max(row["kib"], second[name]["kib"])}
        for name, row in first.items()
    }
