"""What each HDF5 finds, and why not: in this process (`report`), and in a fresh one for each host (`of_hosts`)."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import _process, _registry, _search_path
from ._list import CLASSES
from ._native import PLUGIN_PATH

#: The hosts and the package that brings each.
HOSTS = {"h5py": "h5py", "PyTables": "tables", "netCDF4": "netCDF4"}
_PRELOAD = "HDF5_PLUGIN_PRELOAD"
_CHILD = "import sys, importlib; importlib.import_module(sys.argv[1]); from darkchunk import _doctor; _doctor.child()"


def report() -> list[dict[str, Any]]:
    """Of each HDF5 in this process: file, version, search path with what is wrong in it, and who has each filter."""
    return [_of_library(library) for library in _process.libraries()]


def _of_library(library: _process.Library) -> dict[str, Any]:
    folders = library.folders()
    answers = {filter_class.filter_name: _answer(library, filter_class.filter_id) for filter_class in CLASSES}
    return {
        "name": library.name,
        "version": ".".join(map(str, library.version)),
        "path": library.path,
        "loads_plugins": library.loads_plugins(),
        "folders": [{"path": folder, "note": _note(folder, library.version)} for folder in dict.fromkeys(folders)],
        "filters": answers,
    }


def _answer(library: _process.Library, number: int) -> str | None:
    """The file that has the filter, if the filter can be used."""
    answer = _registry.who_has(library, number)
    if library.is_available(number):
        return answer or "unknown"
    return None


def _note(folder: str, version: tuple[int, int, int]) -> str:
    """What is wrong with a folder of the search path; "" if nothing is."""
    place = Path(folder)
    if not folder:
        return "empty: netCDF finds nothing with it"
    if not place.is_dir():
        return _note_on_missing(folder, version)
    try:
        names = list(place.iterdir())
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    dangling = [entry.name for entry in names if entry.is_symlink() and not entry.exists()]
    if dangling:
        return f"{dangling[0]} is a dangling link: HDF5 ends its search of this folder there"
    ours = [name for name in _registry.FILES.values() if (place / name).exists()]
    if folder != PLUGIN_PATH and ours:
        return f"has another {', '.join(ours)}"
    return ""


def _note_on_missing(folder: str, version: tuple[int, int, int]) -> str:
    """Defaults of HDF5 are mostly not there, which is no fault."""
    if version < (1, 12):
        return "is not there: HDF5 1.10 ends its search here"
    named = (os.environ.get(_search_path.VARIABLE) or "").split(os.pathsep)
    return "is not there" if folder in named else ""


def child() -> None:
    """In a process that has imported one host: its report, as JSON."""
    print(json.dumps(report()))


def of_hosts(hosts: list[str] | None = None) -> dict[str, Any]:
    """A report of each host that is installed, in a fresh process: with it alone, and with `import darkchunk`."""
    installed = {host: name for host, name in HOSTS.items() if (hosts is None or host in hosts) and _is_there(name)}
    found = {
        host: {"alone": _in_child(name, "0"), "with darkchunk": _in_child(name, "1")}
        for host, name in installed.items()
    }
    return {
        "python": sys.executable,
        "plugins": PLUGIN_PATH,
        _search_path.VARIABLE: _variable_of_the_caller(),
        _PRELOAD: os.environ.get(_PRELOAD),
        "used": _used(found),
        "missing": [host for host in HOSTS if (hosts is None or host in hosts) and host not in installed],
        "hosts": found,
    }


def _used(found: dict[str, Any]) -> str | None:
    """Whose HDF5 darkchunk itself uses where none is given to it: that of h5py, of PyTables, the one that is named.
    None: the library looks for the system's."""
    for host in ("h5py", "PyTables"):
        if "error" not in found[host]["alone"] if host in found else _is_there(HOSTS[host]):
            return host
    return os.environ.get("DARKCHUNK_HDF5") or None


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _variable_of_the_caller() -> str | None:
    """The variable as it was before this process's own `import darkchunk` changed it."""
    return _search_path.before


def _in_child(package: str, auto: str) -> dict[str, Any]:
    env = dict(os.environ, DARKCHUNK_AUTO=auto)
    env.pop(_search_path.VARIABLE, None)
    if _search_path.before is not None:
        env[_search_path.VARIABLE] = _search_path.before
    done = subprocess.run([sys.executable, "-c", _CHILD, package], env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        return {"error": last}
    reports = json.loads(done.stdout.splitlines()[-1])
    return next(
        (one for one in reports if HOSTS_BY_PACKAGE[package] in one["name"]), {"error": "no HDF5 was found in it"}
    )


HOSTS_BY_PACKAGE = {package: host for host, package in HOSTS.items()}


def all_well(reports: dict[str, Any]) -> bool:
    """Whether every filter is found in every host, at least with `import darkchunk`."""
    found = [one["with darkchunk"] for one in reports["hosts"].values()]
    return bool(found) and all("error" not in one and all(one["filters"].values()) for one in found)


def text(reports: dict[str, Any]) -> str:
    """For people."""
    lines = [f"python            {reports['python']}", f"plugins           {reports['plugins']}"]
    lines += [f"{_search_path.VARIABLE:18}{reports[_search_path.VARIABLE] or 'not set'}"]
    if reports[_PRELOAD]:
        lines += [f"{_PRELOAD:18}{reports[_PRELOAD]}: HDF5 loads no plugin at all. Unset it."]
    lines += [f"HDF5 of darkchunk {reports['used'] or 'the system, where it has one (DARKCHUNK_HDF5 names a file)'}"]
    for host, both in reports["hosts"].items():
        lines += ["", *_host_lines(host, both)]
    lines += ["", *(f"{host} is not installed." for host in reports["missing"]), _advice(reports)]
    return "\n".join(lines)


def _host_lines(host: str, both: dict[str, Any]) -> list[str]:
    alone, used = both["alone"], both["with darkchunk"]
    if "error" in used:
        return [f"{host}: cannot be imported: {used['error']}"]
    lines = [f"{host}: HDF5 {used['version']}, {used['path']}"]
    lines += [f"  looks by itself in {' and '.join(one['path'] for one in alone.get('folders', ())) or 'no folder'}"]
    for name, after in used["filters"].items():
        before = alone.get("filters", {}).get(name)
        lines += [f"  {name:7} by itself: {_shown(before)}"]
        if after != before:
            lines += [f"  {'':7} with `import darkchunk`: {_shown(after)}"]
    lines += [f"  {one['path']}: {one['note']}" for one in used["folders"] if one["note"]]
    return lines


def _shown(answer: str | None) -> str:
    return {None: "not found", "unknown": "in the program itself"}.get(answer, answer or "")


def _advice(reports: dict[str, Any]) -> str:
    if not reports["hosts"]:
        return "Nothing to ask: install h5py (`pip install h5py`)."
    if not all_well(reports):
        return "Some filter is not found even with `import darkchunk`: see the notes above."
    alone = [one["alone"] for one in reports["hosts"].values()]
    if all("error" not in one and all(one["filters"].values()) for one in alone):
        return "All filters are found."
    return (
        "Type `import darkchunk` in the program, or, for programs that cannot:\n"
        f"  export {_search_path.VARIABLE}={reports['plugins']}${{{_search_path.VARIABLE}:+:${_search_path.VARIABLE}}}"
    )
