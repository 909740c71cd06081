"""Packs the wheel: `pack.py --plugins FOLDER [--library FILE] --licences FOLDER --tag TAG --version V --out FOLDER`.

Without `--library` it is in the folder of plugins.

The same files make the same bytes: names are sorted, and all have the same time.
"""

import argparse
import base64
import hashlib
import zipfile
from pathlib import Path

import tomllib

HERE = Path(__file__).resolve().parent
TIME = (2020, 1, 1, 0, 0, 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("plugins", "licences", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--library", type=Path)
    for name in ("tag", "version"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def metadata(project: dict, version: str, licences: list[str]) -> str:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {version}",
        f"Summary: {project['description']}",
        f"Keywords: {','.join(project['keywords'])}",
        f"License-Expression: {project['license']}",
        *(f"License-File: {name}" for name in licences),
        *(f"Classifier: {classifier}" for classifier in project["classifiers"]),
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {dependency}" for dependency in project["dependencies"]),
        *(f"Provides-Extra: {extra}" for extra in project["optional-dependencies"]),
        *(
            f"Requires-Dist: {dependency}; extra == '{extra}'"
            for extra, dependencies in project["optional-dependencies"].items()
            for dependency in dependencies
        ),
        "Description-Content-Type: text/markdown",
        "",
        (HERE / "README.md").read_text(encoding="utf-8"),
    ]
    return "\n".join(lines)


def entry_points(name: str, group: dict[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {place}\n" for key, place in group.items())


def contents(options: argparse.Namespace) -> dict[str, bytes]:
    """The files of the wheel but its RECORD, by name."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = f"{project['name']}-{options.version}.dist-info"
    licences = sorted(options.licences.iterdir())
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    wheel = f"Wheel-Version: 1.0\nGenerator: darkchunk\nRoot-Is-Purelib: false\nTag: py3-none-{options.tag}\n"
    package = [*(HERE / "darkchunk").glob("*.py"), HERE / "darkchunk" / "py.typed"]
    files = {f"darkchunk/{file.name}": file for file in package}
    files |= {f"darkchunk/plugins/{file.name}": file for file in options.plugins.iterdir()}
    if options.library:
        files[f"darkchunk/lib/{options.library.name}"] = options.library
    files |= {f"{info}/licenses/{file.name}": file for file in licences}
    made = {
        f"{info}/METADATA": metadata(project, options.version, [file.name for file in licences]),
        f"{info}/WHEEL": wheel,
        f"{info}/entry_points.txt": "\n".join(entry_points(name, group) for name, group in groups.items()),
    }
    read = {name: file.read_bytes() for name, file in files.items()}
    return read | {name: text.encode() for name, text in made.items()}


def record(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def main() -> None:
    options = arguments()
    if f'version = "{options.version}"' not in (HERE / "darkchunk" / "_version.py").read_text(encoding="utf-8"):
        raise SystemExit(f"darkchunk/_version.py names another version than Cargo.toml, which says {options.version}")
    files = dict(sorted(contents(options).items()))
    info = f"darkchunk-{options.version}.dist-info"
    rows = [record(name, data) for name, data in files.items()]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"darkchunk-{options.version}-py3-none-{options.tag}.whl"
    new = path.with_suffix(".new")
    with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, TIME)
            entry.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            # An entry of one's own takes no level from the archive.
            wheel.writestr(entry, data, compresslevel=9)
    new.replace(path)
    print(f"{path.stat().st_size / 1e6:.2f} MB  {path}")


if __name__ == "__main__":
    main()
