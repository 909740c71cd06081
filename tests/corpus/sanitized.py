"""The corpus through plugins that are built with sanitizers, in every host: `python sanitized.py PLUGINS LIBRARIES`.

PLUGINS is their folder, LIBRARIES the sanitizers' own, which must be in a process before anything else. Then every
allocation of the process is watched: what the plugins do, and whether HDF5 reads behind the memory that they hand it. Ends
with a line `N passed, M failed`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cases as corpus
import judge
from host import HOSTS

OPTIONS = {
    # Python leaks on purpose; sizes without bounds are asked for, and refused.
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:log_path={log}",
    "UBSAN_OPTIONS": "print_stacktrace=1:log_path={log}",
}


def run(host, job, plugins, libraries, log):
    options = {name: value.format(log=log) for name, value in OPTIONS.items()}
    env = dict(os.environ, HDF5_PLUGIN_PATH=plugins, LD_PRELOAD=libraries, HDF5_USE_FILE_LOCKING="FALSE", **options)
    env.pop("MALLOC_PERTURB_", None)
    done = subprocess.run([sys.executable, judge.HERE / "host.py", host, job], env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{host}: {done.stderr[-3000:]}"
    return {row["name"]: row["class"] for row in map(json.loads, done.stdout.splitlines())}


def is_failed(case, found):
    """Sound chunks show that the plugins are there at all: without them every chunk ends in an error."""
    return found in ("crashed", "hung") or (case.expected == "right" and found != "right")


def main(plugins, libraries):
    counts = {True: 0, False: 0}
    with tempfile.TemporaryDirectory() as folder:
        for values in ("stored", "reference"):
            cases = corpus.all_cases(values)
            job = judge.job(Path(folder) / values, values)
            for host in HOSTS:
                found = run(host, job, plugins, libraries, f"{folder}/report")
                # PyTables reads Blosc with a filter of its own, which is known to crash.
                used = [case for case in cases if not (host == "PyTables" and case.format.startswith("blosc"))]
                failed = [f"{case.name}: {found[case.name]}" for case in used if is_failed(case, found[case.name])]
                counts[False] += len(failed)
                counts[True] += len(used) - len(failed)
                print(f"{host}, {values}: {len(used)} chunks", *failed, sep="\n  ", flush=True)
        for report in sorted(Path(folder).glob("report*"))[: 3 * bool(counts[False])]:
            print(report.read_text(errors="replace")[:4000])
    print(f"{counts[True]} passed, {counts[False]} failed")
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
