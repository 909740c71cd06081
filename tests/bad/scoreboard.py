"""The corpus of bad chunks through hdf5plugin's plugins and through ours, side by side, in every host.

`python scoreboard.py PLUGINS [--json FILE]`. Each side reads files with the parameters that it writes itself. DRLE, which only we
have, is left out. PyTables uses a Blosc of its own; its HDF5 without it is `HDF5 1.14.6`.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import cases as corpus
import judge
from host import HOSTS

COLUMNS = ["crashed", "hung", "leaked", "wrong", "clean error", "right"]
# Changes that a byte of a sound chunk gets: one, so that peers, which crash often, are done in minutes.
CHANGES = (0xFF,)


def column(case, found):
    """Wrong is data other than the right one where the chunk or its checksums show that something is amiss."""
    if found == "error":
        return "clean error"
    if found == "other":
        return "undetectable" if case.expected == "any" else "wrong"
    return found


def sides(plugins):
    import hdf5plugin

    return {"hdf5plugin": (hdf5plugin.PLUGIN_PATH, "reference"), "darkchunk": (plugins, "stored")}


def measure(plugins, folder):
    """{host: {side: Counter}} and the number of chunks."""
    table, count = {}, 0
    for side, (path, values) in sides(plugins).items():
        cases = {case.name: case for case in corpus.all_cases(values, CHANGES) if not case.format.startswith("drle")}
        description = judge.job(Path(folder) / side, values, CHANGES)
        for host in HOSTS:
            found = judge.judged(host, description, path)
            used = [name for name in cases if not (host == "PyTables" and cases[name].format.startswith("blosc"))]
            counter = Counter(column(cases[name], found[name]["class"]) for name in used)
            table.setdefault(host, {})[side] = counter
            print(f"{host}, {side}: {dict(counter)}", file=sys.stderr, flush=True)
    return table


def rows(table):
    yield "| host | plugins | chunks | " + " | ".join(COLUMNS) + " | other pixels¹ |"
    yield "|---|---|" + "---:|" * (len(COLUMNS) + 2)
    for host, counters in table.items():
        for side, counter in counters.items():
            numbers = [sum(counter.values()), *(counter[column] for column in COLUMNS), counter["undetectable"]]
            yield f"| {host} | {side} | " + " | ".join(map(str, numbers)) + " |"
    yield ""
    yield "¹ A changed byte that no checksum of the format covers: whole pixels, some of them changed."


def main(plugins, *options):
    with tempfile.TemporaryDirectory() as folder:
        table = measure(plugins, folder)
    print("\n".join(rows(table)))
    if options:
        Path(options[1]).write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
