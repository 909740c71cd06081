"""`from_pytables`: what PyTables has opened, read in threads, equal to what PyTables reads."""

import numpy as np
import pytest
import tables
from support import frames

import darkchunk


def test_nodes_are_read_as_pytables_reads_them(tmp_path):
    filters = tables.Filters(complevel=5, complib="blosc", shuffle=True)
    rows = np.array([(1, 2.5), (3, 4.5)], [("a", "<i4"), ("b", "<f8")])
    with tables.open_file(tmp_path / "a.h5", "w") as file:
        file.create_carray("/entry", "frames", obj=frames(), filters=filters, createparents=True)
        file.create_array("/", "plain", np.arange(6.0))
        file.create_table("/", "table", rows)
        with pytest.raises(darkchunk.UnsupportedError, match="mode 'w'"):
            darkchunk.from_pytables(file.root.plain)
    with tables.open_file(tmp_path / "a.h5") as file:
        for node in file.root.entry.frames, file.root.plain, file.root.table:
            with darkchunk.from_pytables(node, threads=2) as dataset:
                assert (dataset[...] == node[:]).all()
        assert (file.root.entry.frames[3] == frames()[3]).all(), "PyTables' file is still open"
        node = file.root.plain
    with pytest.raises(darkchunk.UnsupportedError, match="closed"):
        darkchunk.from_pytables(node)
    with pytest.raises(TypeError, match="node of PyTables"):
        darkchunk.from_pytables(np.zeros(3))
