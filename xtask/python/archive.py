"""Packs a folder that works wherever it is put: plugins, C library, header, licences, and what finds them.

`archive.py --system linux --name linux-x86_64 --version V --plugins FOLDER --library FILE [--import-library FILE]
--command FILE --headers FOLDER --licences FOLDER --out FOLDER` prints the archive's path. The same files make the same bytes.
"""

import argparse
import io
import tarfile
import zipfile
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[1] / "archive"
ZIP_TIME = (2020, 1, 1, 0, 0, 0)
TAR_TIME = 1_577_836_800

SET_PATH = {
    "windows": r"setx HDF5_PLUGIN_PATH C:\where\it\is\plugins",
    "macos": "export HDF5_PLUGIN_PATH=/where/it/is/plugins",
    "linux": "export HDF5_PLUGIN_PATH=/where/it/is/plugins",
}
QUARANTINE = {
    "macos": "macOS marks what a browser has fetched, and then refuses to load it ('cannot be opened', 'developer cannot be\n"
    "verified'). Take the mark away, once, after unpacking: xattr -dr com.apple.quarantine FOLDER\n"
    "The libraries need macOS 11 or later; they are signed for this machine only, by no Apple account.",
    "windows": "Windows 10 or later (its C runtime). With MSVC link darkchunk.lib, with MinGW libdarkchunk.dll.a; bin\\ must be on\n"
    "PATH when the program runs, or darkchunk.dll lie beside it.",
    "linux": "A program finds the library by -Wl,-rpath,FOLDER/lib, or LD_LIBRARY_PATH.",
}
PROPERTIES = {
    "linux": '    IMPORTED_LOCATION "${_darkchunk}/lib/libdarkchunk.so.0"\n    IMPORTED_SONAME libdarkchunk.so.0',
    "macos": '    IMPORTED_LOCATION "${_darkchunk}/lib/libdarkchunk.dylib"\n    IMPORTED_SONAME @rpath/libdarkchunk.dylib',
    "windows": '    IMPORTED_LOCATION "${_darkchunk}/bin/darkchunk.dll"\n    IMPORTED_IMPLIB "${_darkchunk}/lib/libdarkchunk.dll.a"',
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", choices=sorted(SET_PATH), required=True)
    for name in ("name", "version"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("plugins", "library", "command", "headers", "licences", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--import-library", type=Path)
    return parser.parse_args()


def filled(name: str, options: argparse.Namespace) -> bytes:
    """A template with its words put in."""
    major, minor, _ = options.version.split(".")
    is_windows = options.system == "windows"
    words = {
        "VERSION": options.version,
        "MAJOR": major,
        "MINOR": minor,
        "NAME": options.name,
        "SET_PATH": SET_PATH[options.system],
        "SEPARATOR": ";" if is_windows else ":",
        "LIBRARY_FOLDER": "lib/ bin" if is_windows else "lib",
        "QUARANTINE": QUARANTINE[options.system],
        "PROPERTIES": PROPERTIES[options.system],
    }
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text.encode()


def contents(options: argparse.Namespace) -> dict[str, bytes | str]:
    """The files by name; a text in place of bytes is a link to that name."""
    files: dict[str, bytes | str] = {f"plugins/{file.name}": file.read_bytes() for file in options.plugins.iterdir()}
    files |= {f"licences/{file.name}": file.read_bytes() for file in options.licences.iterdir()}
    files[f"bin/{options.command.name}"] = options.command.read_bytes()
    files |= {f"include/{file.name}": file.read_bytes() for file in options.headers.iterdir()}
    library = options.library.read_bytes()
    if options.system == "linux":
        files |= {
            "lib/libdarkchunk.so.0": library,
            "lib/libdarkchunk.so": "libdarkchunk.so.0",
        }
    elif options.system == "macos":
        files["lib/libdarkchunk.dylib"] = library
    else:
        linked = options.import_library.read_bytes()
        files |= {
            "bin/darkchunk.dll": library,
            "lib/libdarkchunk.dll.a": linked,
            "lib/darkchunk.lib": linked,
        }
    files["README.txt"] = filled("README.txt", options)
    files["lib/pkgconfig/darkchunk.pc"] = filled("darkchunk.pc", options)
    for name in ("darkchunk-config.cmake", "darkchunk-config-version.cmake"):
        files[f"lib/cmake/darkchunk/{name}"] = filled(name, options)
    return files


def is_program(name: str) -> bool:
    return name.startswith("bin/") or name.endswith((".so", ".so.0", ".dylib"))


def write_zip(path: Path, folder: str, files: dict[str, bytes | str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}", ZIP_TIME)
            entry.external_attr = (0o100755 if is_program(name) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def write_tar(path: Path, folder: str, files: dict[str, bytes | str]) -> None:
    import gzip

    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, TAR_TIME) as packed:
        with tarfile.open(mode="w", fileobj=packed, format=tarfile.PAX_FORMAT) as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.mtime, entry.mode = TAR_TIME, 0o755 if is_program(name) else 0o644
                if isinstance(data, str):
                    entry.type, entry.linkname = tarfile.SYMTYPE, data
                    archive.addfile(entry)
                else:
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))


def main() -> None:
    options = arguments()
    folder = f"darkchunk-{options.version}-{options.name}"
    options.out.mkdir(parents=True, exist_ok=True)
    is_zip = options.system == "windows"
    path = options.out / f"{folder}{'.zip' if is_zip else '.tar.gz'}"
    new = path.with_name(f"{path.name}.new")
    (write_zip if is_zip else write_tar)(new, folder, dict(sorted(contents(options).items())))
    new.replace(path)
    print(path)


if __name__ == "__main__":
    main()
