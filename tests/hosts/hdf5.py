"""One libhdf5, called through ctypes: what the Python packages' own interfaces cannot ask of it.

Only what the tests need: make a dataset with any filter, write and read it whole, see what is stored, and read the
error stack. Everything goes to exactly the library file that is named.
"""

import ctypes
import glob
import importlib.util
import os
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint, c_uint32, c_ulonglong, c_void_p

import numpy as np

HOSTS = {"h5py": "h5py.libs", "tables": "tables.libs", "netCDF4": "netcdf4.libs"}
OPTIONAL, MANDATORY = 1, 0


class ErrorEntry(ctypes.Structure):
    _fields_ = [
        ("cls_id", c_int64),
        ("maj_num", c_int64),
        ("min_num", c_int64),
        ("line", c_uint),
        ("func_name", c_char_p),
        ("file_name", c_char_p),
        ("desc", c_char_p),
    ]


WALKER = ctypes.CFUNCTYPE(c_int, c_uint, POINTER(ErrorEntry), c_void_p)

SIGNATURES = {
    "H5open": (c_int,),
    "H5get_libversion": (c_int, c_void_p, c_void_p, c_void_p),
    "H5Eset_auto2": (c_int, c_int64, c_void_p, c_void_p),
    "H5Eget_auto2": (c_int, c_int64, c_void_p, c_void_p),
    "H5Eset_auto1": (c_int, c_void_p, c_void_p),
    "H5Eget_auto1": (c_int, c_void_p, c_void_p),
    "H5Eauto_is_v2": (c_int, c_int64, c_void_p),
    "H5Eget_num": (c_int64, c_int64),
    "H5Ewalk2": (c_int, c_int64, c_int, WALKER, c_void_p),
    "H5Fcreate": (c_int64, c_char_p, c_uint, c_int64, c_int64),
    "H5Fopen": (c_int64, c_char_p, c_uint, c_int64),
    "H5Fclose": (c_int, c_int64),
    "H5Fflush": (c_int, c_int64, c_int),
    "H5Screate_simple": (c_int64, c_int, c_void_p, c_void_p),
    "H5Sget_simple_extent_ndims": (c_int, c_int64),
    "H5Sget_simple_extent_dims": (c_int, c_int64, c_void_p, c_void_p),
    "H5Sclose": (c_int, c_int64),
    "H5Pcreate": (c_int64, c_int64),
    "H5Pclose": (c_int, c_int64),
    "H5Pset_chunk": (c_int, c_int64, c_int, c_void_p),
    "H5Pset_filter": (c_int, c_int64, c_int, c_uint, c_size_t, c_void_p),
    "H5Pset_shuffle": (c_int, c_int64),
    "H5Pset_fletcher32": (c_int, c_int64),
    "H5Pget_nfilters": (c_int, c_int64),
    "H5Pget_filter2": (c_int, c_int64, c_uint, c_void_p, c_void_p, c_void_p, c_size_t, c_char_p, c_void_p),
    "H5Tcreate": (c_int64, c_int, c_size_t),
    "H5Tcopy": (c_int64, c_int64),
    "H5Tclose": (c_int, c_int64),
    "H5Tarray_create2": (c_int64, c_int64, c_uint, c_void_p),
    "H5Tset_precision": (c_int, c_int64, c_size_t),
    "H5Pset_link_phase_change": (c_int, c_int64, c_uint, c_uint),
    "H5Gcreate2": (c_int64, c_int64, c_char_p, c_int64, c_int64, c_int64),
    "H5Gopen2": (c_int64, c_int64, c_char_p, c_int64),
    "H5Gclose": (c_int, c_int64),
    "H5Lcreate_soft": (c_int, c_char_p, c_int64, c_char_p, c_int64, c_int64),
    "H5Lexists": (c_int, c_int64, c_char_p, c_int64),
    "H5Ocopy": (c_int, c_int64, c_char_p, c_int64, c_char_p, c_int64, c_int64),
    "H5Dcreate2": (c_int64, c_int64, c_char_p, c_int64, c_int64, c_int64, c_int64, c_int64),
    "H5Dopen2": (c_int64, c_int64, c_char_p, c_int64),
    "H5Dget_space": (c_int64, c_int64),
    "H5Dget_type": (c_int64, c_int64),
    "H5Tget_size": (c_size_t, c_int64),
    "H5Dget_create_plist": (c_int64, c_int64),
    "H5Dget_storage_size": (c_ulonglong, c_int64),
    "H5Dwrite": (c_int, c_int64, c_int64, c_int64, c_int64, c_int64, c_void_p),
    "H5Dread": (c_int, c_int64, c_int64, c_int64, c_int64, c_int64, c_void_p),
    "H5Dclose": (c_int, c_int64),
}


class Hdf5Error(Exception):
    """A call failed; `stack` is HDF5's error stack as it was then, innermost entry first."""

    def __init__(self, call, stack):
        super().__init__(f"{call}: {' < '.join(stack)}")
        self.stack = stack


def library_path(host):
    """The libhdf5 in a package's wheel."""
    package = importlib.util.find_spec(host).submodule_search_locations[0]
    (path,) = glob.glob(os.path.join(os.path.dirname(package), HOSTS[host], "libhdf5-*"))
    return path


class Hdf5:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        for name, (result, *arguments) in SIGNATURES.items():
            function = getattr(self.lib, name)
            function.restype, function.argtypes = result, arguments
        self.call("H5open")
        self.lib.H5Eset_auto2(0, None, None)

    @classmethod
    def of(cls, host):
        __import__(host)
        return cls(library_path(host))

    def version(self):
        numbers = [c_uint() for _ in range(3)]
        self.call("H5get_libversion", *map(byref, numbers))
        return tuple(number.value for number in numbers)

    def call(self, name, *arguments):
        result = getattr(self.lib, name)(*arguments)
        if result < 0:
            raise Hdf5Error(name, self.error_stack())
        return result

    def error_stack(self):
        texts = []

        def visit(_, entry, __):
            texts.append((entry.contents.desc or b"").decode())
            return 0

        self.lib.H5Ewalk2(0, 0, WALKER(visit), None)
        return texts

    def variable(self, name):
        return c_int64.in_dll(self.lib, name).value

    def datatype(self, dtype):
        dtype = np.dtype(dtype)
        if dtype.subdtype:
            base, shape = dtype.subdtype
            return self.call("H5Tarray_create2", self.datatype(base), len(shape), dims(shape))
        if dtype.kind == "V":
            return self.call("H5Tcreate", 5, dtype.itemsize)
        order = "BE" if dtype.newbyteorder("=") != dtype else "LE"
        family = {"i": "STD_I", "u": "STD_U", "f": "IEEE_F"}[dtype.kind]
        return self.call("H5Tcopy", self.variable(f"H5T_{family}{8 * dtype.itemsize}{order}_g"))

    def create_properties(self, chunks, filters):
        plist = self.call("H5Pcreate", self.variable("H5P_CLS_DATASET_CREATE_ID_g"))
        self.call("H5Pset_chunk", plist, len(chunks), dims(chunks))
        for number, flags, values in filters:
            if number == 2:
                self.call("H5Pset_shuffle", plist)
            elif number == 3:
                self.call("H5Pset_fletcher32", plist)
            else:
                array = (c_uint32 * max(len(values), 1))(*values)
                self.call("H5Pset_filter", plist, number, flags, len(values), array)
        return plist

    def create(self, file, name, shape, chunks, dtype, filters, datatype=None):
        """A new dataset in an open file. `filters` are (number, flags, values) in the order of encoding."""
        plist = self.create_properties(chunks, filters)
        return self.create_with(file, name, shape, datatype or self.datatype(dtype), plist)

    def create_with(self, file, name, shape, datatype, plist):
        space = self.call("H5Screate_simple", len(shape), dims(shape), None)
        try:
            return self.call("H5Dcreate2", file, name.encode(), datatype, space, 0, plist, 0)
        finally:
            self.lib.H5Sclose(space)
            self.lib.H5Pclose(plist)

    def create_file(self, path):
        return self.call("H5Fcreate", str(path).encode(), 2, 0, 0)

    def open_file(self, path):
        return self.call("H5Fopen", str(path).encode(), 0, 0)

    def close_file(self, file):
        self.call("H5Fclose", file)

    def write(self, path, name, array, chunks, filters):
        """A new file with one dataset; an error comes from the write itself, not from a close."""
        file = self.create_file(path)
        try:
            dataset = self.create(file, name, array.shape, chunks, array.dtype, filters)
            data = np.ascontiguousarray(array)
            try:
                self.call("H5Dwrite", dataset, self.datatype(array.dtype), 0, 0, 0, data.ctypes.data)
                self.call("H5Fflush", file, 0)
            finally:
                self.lib.H5Dclose(dataset)
        finally:
            self.lib.H5Fclose(file)

    def shape(self, dataset):
        space = self.call("H5Dget_space", dataset)
        rank = self.call("H5Sget_simple_extent_ndims", space)
        shape = (c_ulonglong * rank)()
        self.call("H5Sget_simple_extent_dims", space, shape, None)
        self.lib.H5Sclose(space)
        return tuple(shape)

    def read(self, path, name, dtype):
        file = self.open_file(path)
        try:
            dataset = self.call("H5Dopen2", file, name.encode(), 0)
            try:
                # A pattern, so that bytes nobody wrote are seen.
                dtype = np.dtype(dtype)
                shape = self.shape(dataset)
                array = np.full(int(np.prod(shape)) * dtype.itemsize, 0xA5, np.uint8)
                self.call("H5Dread", dataset, self.datatype(dtype), 0, 0, 0, array.ctypes.data)
                return array.view(dtype.base).reshape(shape + dtype.shape)
            finally:
                self.lib.H5Dclose(dataset)
        finally:
            self.lib.H5Fclose(file)

    def stored_filters(self, path, name):
        """(number, flags, values) of each filter of a dataset."""
        file = self.open_file(path)
        dataset = self.call("H5Dopen2", file, name.encode(), 0)
        plist = self.call("H5Dget_create_plist", dataset)
        found = []
        for index in range(self.call("H5Pget_nfilters", plist)):
            flags, n_values, values = c_uint(), c_size_t(64), (c_uint32 * 64)()
            number = self.call("H5Pget_filter2", plist, index, byref(flags), byref(n_values), values, 0, None, None)
            found.append((number, flags.value, tuple(values[: n_values.value])))
        self.lib.H5Pclose(plist)
        self.lib.H5Dclose(dataset)
        self.lib.H5Fclose(file)
        return found


def dims(shape):
    return (c_ulonglong * len(shape))(*shape)
