"""The command `darkchunk`. Ends with 0 if all is well, 1 if it found something, 2 if it could not do what was asked."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from . import _doctor, _install, _native
from ._native import PLUGIN_PATH
from ._version import version


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
    parser = argparse.ArgumentParser(prog="darkchunk", description="HDF5 compression for detectors and cameras.")
    about = f"darkchunk {version}, {_native.level()}"
    parser.add_argument("--version", action="version", version=about)
    verbs = parser.add_subparsers(dest="verb", required=True)
    plugins = verbs.add_parser("plugins", help="where the filter plugins are, and whether they are found")
    parts = plugins.add_subparsers(dest="part", required=True)

    path = parts.add_parser("path", help="print the plugins' folder, an element for HDF5_PLUGIN_PATH")
    path.set_defaults(run=_path)

    install = parts.add_parser("install", help="copy the plugins to where HDF5 looks by itself")
    install.add_argument("--to", metavar="FOLDER", default=_install.FOLDER, help="default: %(default)s")
    install.add_argument("-n", "--dry-run", action="store_true", help="say what would be done")
    install.add_argument("--force", action="store_true", help="also over other files of these names")
    install.set_defaults(run=_install_verb)

    doctor = parts.add_parser("doctor", help="say of each HDF5 here which filters it finds, and why not")
    doctor.add_argument("--host", choices=list(_doctor.HOSTS), help="only this one")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=_doctor_verb)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    try:
        parsed = _parser().parse_args(arguments)
        return int(parsed.run(parsed))
    except BrokenPipeError:
        sys.stderr.close()
        return 2
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
