"""`darkchunk plugins`: what each HDF5 here finds, and why not."""

import json
import os
import subprocess
import sys

from common import NAMES, PLUGINS, ROOT
from test_command import COMMAND

IDS = {36114, 32008, 32001, 32004, 32015, 36115}


def plugins(*arguments, code=0, path=None, **variables):
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable, DARKCHUNK_PLUGINS=str(PLUGINS), **variables)
    environment.pop("HDF5_PLUGIN_PATH", None)
    if path is not None:
        environment["HDF5_PLUGIN_PATH"] = str(path)
    command = [str(part) for part in (COMMAND, "plugins", *arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == code or (code is None and done.returncode < 2), (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_the_doctor_sees_each_hdf5_and_its_advice_helps():
    text = plugins("doctor", code=1)
    assert f"export HDF5_PLUGIN_PATH={PLUGINS}" in text.splitlines()[-1] and "not found" in text
    head, *hosts = [json.loads(line) for line in plugins("doctor", "--json", path=PLUGINS).splitlines()]
    assert {host["of"] for host in hosts} >= {"h5py", "PyTables", "netCDF4"} and head["glibc"]
    assert head["used"] == hosts[0]["hdf5"] and head["advice"] == "All filters are found."
    for host in hosts:
        found = {answer["filter"]: answer["file"] for answer in host["filters"]}
        assert set(found) == IDS and all(file.startswith(str(PLUGINS)) for file in found.values())


def test_what_hides_a_plugin_is_named(tmp_path):
    (tmp_path / "libh5gone.so").symlink_to("/nowhere")
    (tmp_path / "libh5text.so").write_text("no library")
    text = plugins("doctor", path=f"/no/such/folder:{tmp_path}:{PLUGINS}", code=1)
    assert "/no/such/folder: is not there" in text
    # HDF5 1.10 finds nothing after a folder that is missing: ours is to be first.
    assert text.splitlines()[-1].strip() == f"export HDF5_PLUGIN_PATH={PLUGINS}:/no/such/folder:{tmp_path}"
    text = plugins("doctor", path=f"{tmp_path}:{PLUGINS}", code=None)
    assert "libh5gone.so is a dangling link" in " ".join(text.split()) and "libh5text.so" in text
    assert plugins("doctor", path=PLUGINS, HDF5_PLUGIN_PRELOAD="::", code=1).splitlines()[-1] == "Type `unset HDF5_PLUGIN_PRELOAD`"


def test_what_is_installed_is_found_and_others_files_stay(tmp_path):
    assert plugins("path").strip() == str(PLUGINS.resolve())
    assert "would be written" in plugins("install", "--to", tmp_path / "new", "--dry-run") and not (tmp_path / "new").exists()
    plugins("install", "--to", tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(f"lib{name}.so" for name in NAMES)
    found = [json.loads(line) for line in plugins("list", "--json", path=tmp_path / "new").splitlines()]
    assert {line["filter"] for line in found} == IDS and all(line["darkchunk"] for line in found)
    (tmp_path / "new" / "libh5drle.so").write_text("of somebody else")
    assert "is not darkchunk's: --force" in plugins("install", "--to", tmp_path / "new", code=2)


def test_a_plugin_of_the_wheel_that_was_copied_alone_says_what_it_needs(tmp_path):
    plugin = tmp_path / "libh5lz4.so"
    source = ROOT / "python" / "plugin.c"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-fvisibility=hidden", "-DFILTER=32004", str(source), "-o", str(plugin), "-ldl"], check=True
    )
    found = [json.loads(line) for line in plugins("list", "--json", path=tmp_path, code=None).splitlines()]
    assert {line["reason"] for line in found if line["file"] == str(plugin)} == {"needs darkchunk.so beside it"}, found
