"""What a shared library of any system exports and needs, as JSON: `binary.py FILE...`.

For each file: `exports` (names), `needs` (libraries), `machine`, and of macOS `minos` and `name`, of Linux `name`.
"""

import json
import struct
import sys
from pathlib import Path

from elftools.elf.elffile import ELFFile


def elf(file: Path) -> dict:
    with file.open("rb") as stream:
        parsed = ELFFile(stream)
        dynamic, symbols = (
            parsed.get_section_by_name(".dynamic"),
            parsed.get_section_by_name(".dynsym"),
        )
        tags = list(dynamic.iter_tags())
        defined = [symbol for symbol in symbols.iter_symbols() if symbol["st_shndx"] != "SHN_UNDEF" and symbol.name]
        return {
            "machine": {"EM_X86_64": "x86-64", "EM_AARCH64": "arm64"}.get(parsed["e_machine"], parsed["e_machine"]),
            "exports": [symbol.name for symbol in defined if symbol["st_info"]["bind"] != "STB_LOCAL"],
            "needs": [tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"],
            "name": next((tag.soname for tag in tags if tag.entry.d_tag == "DT_SONAME"), ""),
        }


def text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def pe(data: bytes) -> dict:
    (header,) = struct.unpack_from("<I", data, 0x3C)
    machine, n_sections, n_optional = struct.unpack_from("<HH12xH", data, header + 4)
    optional = header + 24
    tables = [struct.unpack_from("<II", data, optional + 112 + 8 * index)[0] for index in range(2)]
    rows = [struct.unpack_from("<8x4I", data, optional + n_optional + 40 * index) for index in range(n_sections)]

    def place(address: int) -> int:
        size, start, _, offset = next(row for row in rows if row[1] <= address < row[1] + max(row[0], row[2]))
        return address - start + offset

    exports, needs = [], []
    if tables[0]:
        n_names, _, names = struct.unpack_from("<24xIII", data, place(tables[0]))
        addresses = struct.unpack_from(f"<{n_names}I", data, place(names))
        exports = [text(data, place(address)) for address in addresses]
    at = place(tables[1])
    while (name := struct.unpack_from("<12xI", data, at)[0]) != 0:
        needs.append(text(data, place(name)))
        at += 20
    return {
        "machine": {0x8664: "x86-64", 0xAA64: "arm64"}.get(machine, hex(machine)),
        "exports": exports,
        "needs": needs,
    }


def number(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def trie(data: bytes, node: int, prefix: str) -> list[str]:
    """The names below a node of a Mach-O export trie."""
    size, at = number(data, node)
    found = [prefix] if size else []
    n_children, at = data[at + size], at + size + 1
    for _ in range(n_children):
        label = text(data, at)
        child, at = number(data, at + len(label) + 1)
        found += trie(data, child, prefix + label)
    return found


def macho(data: bytes) -> dict:
    kind, n_commands = struct.unpack_from("<4xI8xI", data, 0)
    found = {
        "machine": {0x1000007: "x86-64", 0x100000C: "arm64"}.get(kind, hex(kind)),
        "exports": [],
        "needs": [],
    }
    at = 32
    for _ in range(n_commands):
        command, size = struct.unpack_from("<II", data, at)
        if command in (
            0x80000033,
            0x80000022,
        ):  # LC_DYLD_EXPORTS_TRIE, LC_DYLD_INFO_ONLY
            start, length = struct.unpack_from("<II", data, at + (8 if command == 0x80000033 else 40))
            found["exports"] = (
                [name.removeprefix("_") for name in trie(data[start : start + length], 0, "")] if length else []
            )
        elif command in (0xC, 0xD):  # LC_LOAD_DYLIB, LC_ID_DYLIB
            name = text(data, at + struct.unpack_from("<8xI", data, at)[0])
            found.update(name=name) if command == 0xD else found["needs"].append(name)
        elif command == 0x32:  # LC_BUILD_VERSION
            (minos,) = struct.unpack_from("<12xI", data, at)
            found["minos"] = f"{minos >> 16}.{minos >> 8 & 255}"
        elif command == 0x1D:  # LC_CODE_SIGNATURE
            found["is_signed"] = True
        at += size
    return found


def examined(file: Path) -> dict:
    data = file.read_bytes()
    if data[:4] == b"\x7fELF":
        return elf(file)
    if data[:2] == b"MZ":
        return pe(data)
    if data[:4] == b"\xcf\xfa\xed\xfe":
        return macho(data)
    raise SystemExit(f"{file} is no library of Linux, Windows or macOS of 64 bits")


if __name__ == "__main__":
    print(json.dumps([{"file": name} | examined(Path(name)) for name in sys.argv[1:]]))
