"""The corpus of bad chunks through hdf5plugin's plugins and through ours, side by side, in every host.

Each side reads files with the parameters that it writes itself, and ours
also those of the other. DRLE, which only we have, is left out. PyTables uses a Blosc of its own; its HDF5 without it is `HDF5 1.14.6`.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import cases as corpus
import judge
from host import HOSTS

COLUMNS = ["crashed", "hung", "leaked", "wrong", "clean error", "right"]


def column(case, found):
    """Wrong is data other than the right one where the chunk or its checksums show that something is amiss."""
    if found == "error":
        return "clean error"
    if found == "other":
        return "other pixels" if case.expected == "any" else "wrong"
    return found


def sides(plugins):
    import hdf5plugin

    return {"hdf5plugin": (hdf5plugin.PLUGIN_PATH, "reference"),
            "darkchunk": (plugins, "stored"),
            "darkchunk, files of hdf5plugin": (plugins, "reference")}


def measure(plugins, changes, folder):
    """{host: {side: Counter}}"""
    table = {}
    for number, (side, (path, values)) in enumerate(sides(plugins).items()):
        cases = {case.name: case for case in corpus.all_cases(values, changes) if not case.format.startswith("drle")}
        description = judge.job(Path(folder) / str(number), values, changes)
        for host in HOSTS:
            found = judge.judged(host, description, path)
            used = [name for name in cases if not (host == "PyTables" and cases[name].format.startswith("blosc"))]
            counter = Counter(column(cases[name], found[name]["class"]) for name in used)
            table.setdefault(host, {})[side] = counter
            print(f"{host}, {side}: {dict(counter)}", file=sys.stderr, flush=True)
    return table


def rows(table, has_changes):
    columns = COLUMNS + ["other pixels"] * has_changes
    yield "| host | plugins | chunks | " + " | ".join(columns) + " |"
    yield "|---|---|" + "---:|" * (len(columns) + 1)
    for host, counters in table.items():
        for side, counter in counters.items():
            numbers = [sum(counter.values()), *(counter[column] for column in columns)]
            yield f"| {host} | {side} | " + " | ".join(map(str, numbers)) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plugins", help="the folder of our plugins")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--all", action="store_true", help="also every truncation, every byte changed (to other pixels "
                        "where no checksum covers it), and parameter arrays of every length; takes long, as peers crash")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(options.plugins, (0xFF,) if options.all else (), folder)
    print("\n".join(rows(table, options.all)))
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
