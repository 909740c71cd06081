"""What hdf5plugin's documentation shows for these five filters works with `import darkchunk as hdf5plugin`."""

import pytest
from support import python

USES = {
    "compression is an object": """
        file.create_dataset("a", data=data, chunks=True, compression=hdf5plugin.Bitshuffle(nelems=0, cname="lz4"))
        file.create_dataset("b", data=data, compression=hdf5plugin.Blosc(cname="zstd", clevel=3, shuffle=2))
        file.create_dataset("c", data=data, chunks=True, compression=hdf5plugin.LZ4())
        file.create_dataset("d", data=data, chunks=True, compression=hdf5plugin.Zstd(clevel=22))
    """,
    "compression is unpacked": """
        file.create_dataset("a", data=data, **hdf5plugin.Bitshuffle(nelems=0, cname="zstd", clevel=4))
        file.create_dataset("b", data=data, **hdf5plugin.Blosc("blosclz", 9, shuffle=hdf5plugin.Blosc.SHUFFLE))
        file.create_dataset("c", data=data, **hdf5plugin.LZ4(nbytes=0))
        file.create_dataset("d", data=data, **hdf5plugin.Zstd())
    """,
    "numbers by name": """
        for name, number in hdf5plugin.FILTERS.items():
            assert number > 0, name
        for number in (hdf5plugin.BSHUF_ID, hdf5plugin.BLOSC_ID, hdf5plugin.LZ4_ID, hdf5plugin.ZSTD_ID):
            file.create_dataset(str(number), data=data, compression=number)
    """,
    "classes by name": """
        for filter_class in hdf5plugin.get_filters(("lz4", hdf5plugin.ZSTD_ID)):
            file.create_dataset(filter_class.filter_name, data=data, compression=filter_class())
    """,
    "parameters of a dataset": """
        given = hdf5plugin.Blosc("lz4hc", 7, hdf5plugin.Blosc.NOSHUFFLE)
        dataset = file.create_dataset("a", data=data, compression=given)
        dcpl = dataset.id.get_create_plist()
        assert dcpl.get_nfilters() == 1
        number, flags, options, name = dcpl.get_filter(0)
        found = hdf5plugin.from_filter_options(number, options)
        assert found == given
        assert (found.cname, found.clevel, found.shuffle) == ("lz4hc", 7, 0)
    """,
    "what there is": """
        config = hdf5plugin.get_config()
        assert set(config.registered_filters) == set(hdf5plugin.FILTERS) == set(config.build_config.embedded_filters)
        assert all(os.path.dirname(path) == hdf5plugin.PLUGIN_PATH for path in config.registered_filters.values())
        assert hdf5plugin.register() and hdf5plugin.register(force=True)
        assert hdf5plugin.register("lz4", force=False) and hdf5plugin.register(("zstd", "blosc"))
        assert hdf5plugin.version.count(".") == 2 and hdf5plugin.version_info.major >= 0
        file.create_dataset("a", data=data, compression=hdf5plugin.LZ4())
    """,
}
PROGRAM = """
import os, sys
{imports}
import numpy as np
data = np.arange(10000, dtype="u2").reshape(100, 100) // 7
with h5py.File(sys.argv[1], "w") as file:
    if True:{use}
with h5py.File(sys.argv[1], "r") as file:
    assert len(file) > 0
    for dataset in file.values():
        assert (dataset[...] == data).all() and dataset.id.get_storage_size() < data.nbytes
"""


@pytest.mark.parametrize(
    "imports", ["import h5py\nimport darkchunk as hdf5plugin", "import darkchunk as hdf5plugin\nimport h5py"]
)
@pytest.mark.parametrize("use", USES)
def test_a_program_for_hdf5plugin_runs(tmp_path, use, imports):
    done = python(PROGRAM.format(imports=imports, use=USES[use]), tmp_path / "file.h5")
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_the_programs_are_hdf5plugins(tmp_path):
    """They run with hdf5plugin itself, but for what asks who has the filters, and for bitshuffle without parameters."""
    for use in set(USES) - {"what there is", "numbers by name"}:
        done = python(PROGRAM.format(imports="import h5py, hdf5plugin", use=USES[use]), tmp_path / "file.h5")
        assert done.returncode == 0, (use, done.stderr)
