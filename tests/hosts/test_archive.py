"""The archive for people without Python: it works where it is put, with pkg-config, CMake, and as a plugin folder."""

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest

from common import PLUGINS, ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the archive of this system is tried on Linux")

DIST = PLUGINS.parent
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]

PROGRAM = r"""
#include <darkchunk.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    uint16_t pixels[4096], back[4096];
    unsigned char stored[16384];
    uint64_t dims[2] = {64, 64};
    size_t n_bytes = 0;
    for (int i = 0; i < 4096; ++i) pixels[i] = (uint16_t)(i % 100 == 0 ? 7 : 0);
    dc_array array = DC_ARRAY_INIT;
    array.filter = DC_BITSHUFFLE;
    array.number = 1;
    array.element_bytes = array.base_bytes = 2;
    array.dims = dims;
    array.n_dims = 2;
    if (dc_array_encode(&array, pixels, sizeof pixels, stored, sizeof stored, &n_bytes) != DC_OK) return 1;
    uint32_t values[32];
    size_t n_values = 0;
    if (dc_array_cd_values(&array, values, 32, &n_values) != DC_OK) return 2;
    array.values = values;
    array.n_values = n_values;
    if (dc_array_decode(&array, stored, n_bytes, back, sizeof back) != DC_OK) return 3;
    printf("%s %s %zu\n", dc_version(), DC_VERSION, n_bytes);
    return memcmp(pixels, back, sizeof pixels) ? 4 : 0;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.15)
project(user C)
find_package(darkchunk 0.1 REQUIRED)
message(STATUS "plugins: ${darkchunk_PLUGIN_PATH}")
add_executable(user user.c)
target_link_libraries(user PRIVATE darkchunk::darkchunk)
"""


def pack(out, system, name, *more, stand_in=None):
    """The archive of what `cargo xtask dist` has made; with `stand_in` that file in place of each program and library."""
    parts = {"--library": DIST / "lib/libdarkchunk.so", "--command": DIST / "bin/darkchunk", "--plugins": PLUGINS}
    if stand_in:
        parts = {"--library": stand_in, "--command": stand_in, "--plugins": stand_in.parent}
    parts |= {"--headers": DIST / "include", "--licences": DIST / "licences", "--out": out}
    command = [sys.executable, ROOT / "xtask/python/archive.py", "--system", system, "--name", name, "--version", VERSION]
    command += [*(item for pair in parts.items() for item in pair), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return out / done.stdout.strip().rsplit("/", 1)[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Unpacked, and then moved elsewhere."""
    where = tmp_path_factory.mktemp("archive")
    archive = pack(where, "linux", "linux-here")
    with tarfile.open(archive) as packed:
        packed.extractall(where, filter="data")
    return (where / f"darkchunk-{VERSION}-linux-here").rename(where / "elsewhere")


def run(command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def check(program):
    ours, header, n_bytes = run([program], env={}).split()
    assert ours == header == VERSION
    assert int(n_bytes) < 2000


def test_a_c_program_by_pkg_config(folder, tmp_path):
    (tmp_path / "user.c").write_text(PROGRAM)
    env = {**os.environ, "PKG_CONFIG_PATH": str(folder / "lib/pkgconfig")}
    flags = run(["pkg-config", "--cflags", "--libs", f"darkchunk = {VERSION}"], env=env).split()
    assert run(["pkg-config", "--variable=plugindir", "darkchunk"], env=env).strip().endswith("plugins")
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    out = ["-o", tmp_path / "user", f"-Wl,-rpath,{folder}/lib"]
    run(["gcc", *warnings, tmp_path / "user.c", *flags, *out])
    check(tmp_path / "user")


def test_a_c_program_by_cmake(folder, tmp_path):
    (tmp_path / "user.c").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(CMAKE)
    cmake = os.path.join(os.path.dirname(sys.executable), "cmake")
    options = [
        f"-DCMAKE_PREFIX_PATH={folder}",
        "-DCMAKE_BUILD_TYPE=Release",
        "-G",
        "Unix Makefiles",
    ]
    said = run([cmake, "-S", tmp_path, "-B", tmp_path / "build", *options])
    assert f"plugins: {folder}/plugins" in said
    run([cmake, "--build", tmp_path / "build"])
    check(tmp_path / "build/user")
    for version, is_right in [
        ("0.2", False),
        ("1.0", False),
        ("0.1.0", True),
        ("0.1.1", False),
    ]:
        (tmp_path / "CMakeLists.txt").write_text(CMAKE.replace("darkchunk 0.1", f"darkchunk {version}"))
        done = subprocess.run([cmake, "-S", tmp_path, "-B", tmp_path / "build"], capture_output=True)
        assert (done.returncode == 0) == is_right, version


def test_its_plugins_are_found(folder, tmp_path):
    code = (
        "import h5py, sys, numpy as np\n"
        "file = h5py.File(sys.argv[1], 'w')\n"
        "file.create_dataset('a', data=np.arange(100, dtype='u2'), chunks=(50,), compression=36114, compression_opts=(1,))\n"
        "file.close()\n"
        "assert (h5py.File(sys.argv[1])['a'][()] == np.arange(100)).all()\n"
        "print(*{line.split()[-1] for line in open('/proc/self/maps') if 'h5drle' in line})\n"
    )
    env = {"HDF5_PLUGIN_PATH": str(folder / "plugins"), "PATH": os.environ["PATH"]}
    assert run([sys.executable, "-c", code, tmp_path / "a.h5"], env=env).strip() == f"{folder}/plugins/libh5drle.so"


def test_the_command_runs(folder):
    assert VERSION in run([folder / "bin/darkchunk", "--version"])


def test_it_has_everything_and_says_what_it_is(folder):
    for name in ["LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.txt"]:
        assert (folder / "licences" / name).stat().st_size > 500
    assert (folder / "lib/libdarkchunk.so").readlink().name == "libdarkchunk.so.0"
    assert len(list((folder / "plugins").iterdir())) == 6
    text = (folder / "README.txt").read_text()
    for word in ["MATLAB", "IDL", "Fiji", "DAWN", "export HDF5_PLUGIN_PATH", VERSION]:
        assert word in text
    assert "@" not in text


HEADER = DIST / "include/darkchunk.h"


def test_the_archives_of_other_systems_have_their_own_names(tmp_path):
    """The libraries in them are stand-ins: names and texts are looked at."""
    with tarfile.open(pack(tmp_path, "macos", "macos-arm64", stand_in=HEADER)) as mac:
        top = f"darkchunk-{VERSION}-macos-arm64"
        assert f"{top}/lib/libdarkchunk.dylib" in mac.getnames()
        assert b"com.apple.quarantine" in mac.extractfile(f"{top}/README.txt").read()
    windows = pack(tmp_path, "windows", "windows-x86_64", "--import-library", HEADER, stand_in=HEADER)
    with zipfile.ZipFile(windows) as archive:
        top = f"darkchunk-{VERSION}-windows-x86_64"
        assert {f"{top}/bin/darkchunk.dll", f"{top}/lib/darkchunk.lib"} <= set(archive.namelist())
        assert b"setx HDF5_PLUGIN_PATH" in archive.read(f"{top}/README.txt")


def test_the_same_files_make_the_same_bytes(tmp_path):
    packed = [pack(tmp_path / name, "linux", "linux-here", stand_in=HEADER).read_bytes() for name in ("a", "b")]
    assert packed[0] == packed[1]
