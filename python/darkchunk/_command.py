"""The command `darkchunk`. Ends with 0 if all is well, 1 if it found something, 2 if it could not do what was asked.

`plugins path`, `doctor` and `install` are here, as they are about this package; all other verbs are the library's.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes as c
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

from . import _doctor, _errors, _hosted, _install, _native
from ._native import PLUGIN_PATH
from ._version import version

_PARTS = ("path", "install", "doctor", "-h", "--help")
_OURS = """
Of the Python package:
  plugins path     Print the plugins' folder, an element for HDF5_PLUGIN_PATH
  plugins doctor   Say of each HDF5 here which filters it finds, and why not
  plugins install  Copy the plugins to where HDF5 looks by itself"""


def _path(_arguments: argparse.Namespace) -> int:
    print(PLUGIN_PATH)
    return 0


def _install_verb(arguments: argparse.Namespace) -> int:
    for line in _install.install(arguments.to, arguments.dry_run, arguments.force):
        print(line)
    return 0


def _doctor_verb(arguments: argparse.Namespace) -> int:
    reports = _doctor.of_hosts([arguments.host] if arguments.host else None)
    print(json.dumps(reports, indent=2) if arguments.json else _doctor.text(reports))
    return 0 if _doctor.all_well(reports) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="darkchunk plugins", description="Where the filter plugins are, and whether they are found."
    )
    parts = parser.add_subparsers(dest="part", required=True)

    path = parts.add_parser("path", help="print the plugins' folder, an element for HDF5_PLUGIN_PATH")
    path.set_defaults(run=_path)

    install = parts.add_parser("install", help="copy the plugins to where HDF5 looks by itself")
    install.add_argument("--to", metavar="FOLDER", default=_install.FOLDER, help="default: %(default)s")
    install.add_argument("-n", "--dry-run", action="store_true", help="say what would be done")
    install.add_argument("--force", action="store_true", help="also over other files of these names")
    install.set_defaults(run=_install_verb)

    doctor = parts.add_parser(
        "doctor",
        help="say of each HDF5 here which filters it finds, and why not",
        epilog="Ends with 0 where each finds all filters, if need be with `import darkchunk`; with 1 where not.",
    )
    doctor.add_argument("--host", choices=list(_doctor.HOSTS), help="only this one")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=_doctor_verb)
    return parser


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends the process meanwhile, as it ends any program: Python would wait for the library to return."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kept)


def _of_library(words: Sequence[str]) -> int:
    """A verb of the library, on the HDF5 that this package uses."""
    given = (c.c_char_p * (len(words) + 1))(*map(os.fsencode, ("darkchunk", *words)))
    code = c.c_int()
    # For verbs that are about the plugins.
    os.environ.setdefault("DARKCHUNK_PLUGINS", PLUGIN_PATH)
    # For a verb that calls itself in other processes.
    os.environ.setdefault("DARKCHUNK_PYTHON", sys.executable)
    sys.stdout.flush()
    sys.stderr.flush()
    with _hosted.loaded(), _interruptible():
        _native.call("dc_command", len(given), given, c.byref(code))
    return code.value


def _run(words: Sequence[str]) -> int:
    if words[:1] == ["plugins"] and (not words[1:] or words[1] in _PARTS):
        parsed = _parser().parse_args(words[1:])
        return int(parsed.run(parsed))
    if words in (["--version"], ["-V"]):
        print(f"darkchunk {version}, {_native.level()}")
        return 0
    code = _of_library(words)
    if words in ([], ["help"], ["--help"], ["-h"]):
        print(_OURS, file=sys.stdout if code == 0 else sys.stderr)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except BrokenPipeError:
        sys.stderr.close()
        return 2
    except (OSError, ValueError, ImportError, _errors.Error) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
