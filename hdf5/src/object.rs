//! HDF5's objects as far as the writer needs them: identifiers that close themselves, links, attributes, whole datasets.

use std::ffi::{CString, c_char, c_int, c_void};

use super::api::Hid;
use super::library::{DEFAULT, Library, h5, h5_optional, h5_tool};
use crate::{Error, Result};
use darkchunk::element::{ElementType, IntegerParts};
use darkchunk_hdf5_abi::constants::H5D_FILL_VALUE_USER_DEFINED;
use darkchunk_hdf5_abi::datatype::{self, Datatype, Integer};

const UNLIMITED: u64 = u64::MAX;

/// An identifier that is ours, closed when dropped.
#[derive(Debug)]
pub(super) struct Id {
    library: Library,
    id: Hid,
}

impl Id {
    pub(super) fn new(library: &Library, id: Hid) -> Self {
        Self { library: library.clone(), id }
    }

    pub(super) fn get(&self) -> Hid {
        self.id
    }

    pub(super) fn library(&self) -> &Library {
        &self.library
    }

    /// Closes the object and says so where HDF5 cannot.
    pub(super) fn close(self) -> Result<()> {
        let result = h5!(&self.library, H5Idec_ref(self.id)).map(drop);
        let mut gone = self;
        gone.id = 0;
        result
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        if self.id > 0 {
            let _ = h5!(&self.library, H5Idec_ref(self.id));
        }
    }
}

/// A name as HDF5 takes it.
pub(super) fn c_name(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| Error::Unsupported(format!("{name:?} cannot be a name in HDF5: it has a null byte")))
}

/// Gives back what HDF5 has allocated for strings and sequences of variable length among elements at `data`. What cannot be given back
/// stays until the process ends.
pub(super) fn reclaim(library: &Library, kind: Hid, space: Hid, data: *mut c_void) {
    let reclaim = || -> Result<c_int> {
        match library.tools().H5Treclaim {
            Some(_) => h5_tool!(library, H5Treclaim(kind, space, DEFAULT, data)),
            None => h5_tool!(library, H5Dvlen_reclaim(kind, space, DEFAULT, data)),
        }
    };
    let _ = reclaim();
}

/// Whether `path` leads to something, below the group or file `at`. Steps that are missing are no error.
pub(super) fn exists(library: &Library, at: Hid, path: &str) -> Result<bool> {
    let mut so_far = if path.starts_with('/') { "/".to_owned() } else { String::new() };
    for step in path.split('/').filter(|step| !step.is_empty()) {
        if !so_far.is_empty() && !so_far.ends_with('/') {
            so_far.push('/');
        }
        so_far.push_str(step);
        let name = c_name(&so_far)?;
        if h5!(library, H5Lexists(at, name.as_ptr(), DEFAULT))? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The group at `path`, made with all groups above it where it is missing.
pub(super) fn group(library: &Library, at: Hid, path: &str) -> Result<Id> {
    if exists(library, at, path)? {
        return open(library, at, path);
    }
    let (name, links) = (c_name(path)?, link_creation(library)?);
    let id = h5!(library, H5Gcreate2(at, name.as_ptr(), links.get(), DEFAULT, DEFAULT))?;
    Ok(Id::new(library, id))
}

/// The object at `path`.
pub(super) fn open(library: &Library, at: Hid, path: &str) -> Result<Id> {
    let name = c_name(path)?;
    Ok(Id::new(library, h5!(library, H5Oopen(at, name.as_ptr(), DEFAULT))?))
}

/// The path by which an object was opened, from the file's root; `None` where it has none that is UTF-8.
pub(super) fn name(library: &Library, object: Hid) -> Result<Option<String>> {
    let n_bytes = h5_optional!(library, H5Iget_name(object, std::ptr::null_mut(), 0))? as usize;
    let mut name = vec![0_u8; n_bytes + 1];
    h5_optional!(library, H5Iget_name(object, name.as_mut_ptr().cast(), name.len()))?;
    name.truncate(n_bytes);
    Ok(String::from_utf8(name).ok().filter(|name| name.starts_with('/')))
}

/// The file that `object` is in.
pub(super) fn file_of(object: &Id) -> Result<Id> {
    let library = object.library();
    Ok(Id::new(library, h5!(library, H5Iget_file_id(object.get()))?))
}

/// Gives `object` the name `path`, a hard link; makes the groups above it.
pub(super) fn link(object: &Id, at: Hid, path: &str) -> Result<()> {
    let (name, links) = (c_name(path)?, link_creation(object.library())?);
    h5!(object.library(), H5Olink(object.get(), at, name.as_ptr(), links.get(), DEFAULT)).map(drop)
}

fn link_creation(library: &Library) -> Result<Id> {
    let links = property_list(library, library.ids().link_create)?;
    h5!(library, H5Pset_create_intermediate_group(links.get(), 1))?;
    Ok(links)
}

/// Makes a dataset, and the groups above it that are missing.
pub(super) fn create_dataset(
    library: &Library,
    at: Hid,
    path: &str,
    datatype: Hid,
    space: &Id,
    properties: &Id,
) -> Result<Id> {
    let (name, links) = (c_name(path)?, link_creation(library)?);
    let (space, links, properties) = (space.get(), links.get(), properties.get());
    let id = h5!(library, H5Dcreate2(at, name.as_ptr(), datatype, space, links, properties, DEFAULT))?;
    Ok(Id::new(library, id))
}

pub(super) fn property_list(library: &Library, class: Hid) -> Result<Id> {
    Ok(Id::new(library, h5!(library, H5Pcreate(class))?))
}

/// A dataspace of `dims`; without a limit on the first dimension where `grows`.
pub(super) fn dataspace(library: &Library, dims: &[u64], grows: bool) -> Result<Id> {
    let mut most = dims.to_vec();
    if let Some(first) = most.first_mut().filter(|_| grows) {
        *first = UNLIMITED;
    }
    let id = if dims.is_empty() {
        h5!(library, H5Screate(0))?
    } else {
        h5!(library, H5Screate_simple(dims.len() as c_int, dims.as_ptr(), most.as_ptr()))?
    };
    Ok(Id::new(library, id))
}

/// The extent of a dataspace, and the most it may become (`None` where it has no limit).
pub(super) fn extent(space: &Id) -> Result<(Vec<u64>, Vec<Option<u64>>)> {
    let library = space.library();
    let rank = h5!(library, H5Sget_simple_extent_ndims(space.get()))?;
    let (mut dims, mut most) = (vec![0; rank as usize], vec![0; rank as usize]);
    h5!(library, H5Sget_simple_extent_dims(space.get(), dims.as_mut_ptr(), most.as_mut_ptr()))?;
    Ok((dims, most.into_iter().map(|most| (most != UNLIMITED).then_some(most)).collect()))
}

/// What an HDF5 datatype holds, as the plugins see it, too.
pub(super) fn element_type(library: &Library, datatype: Hid) -> Result<ElementType> {
    let Datatype { n_bytes, base_bytes, integer, float, .. } = datatype::read(library, datatype)?;
    if let Some(is_big_endian) = float {
        return Ok(ElementType::float(n_bytes, is_big_endian));
    }
    let integer =
        integer.map(|Integer { is_signed, n_bits, is_big_endian }| IntegerParts { is_signed, n_bits, is_big_endian });
    Ok(ElementType::from_parts(n_bytes, base_bytes, integer))
}

/// The bits of the fill value of a dataset with such properties, of elements that are integers of up to four bytes; `None`
/// for others, and where HDF5 cannot be asked.
pub(super) fn fill_bits(properties: &Id, datatype: Hid, element: ElementType) -> Result<Option<u32>> {
    let (library, mut status, mut value) = (properties.library(), 0, [0_u8; 4]);
    let functions = library.functions();
    if functions.H5Pfill_value_defined.is_none() || functions.H5Pget_fill_value.is_none() {
        return Ok(None);
    }
    let Some(zero) = element.bits(&value) else { return Ok(None) };
    h5_optional!(library, H5Pfill_value_defined(properties.get(), &raw mut status))?;
    if status != H5D_FILL_VALUE_USER_DEFINED {
        return Ok(Some(zero));
    }
    h5_optional!(library, H5Pget_fill_value(properties.get(), datatype, value.as_mut_ptr().cast()))?;
    Ok(element.bits(&value))
}

/// Of a floating-point type where sign and exponent begin, the bits of the exponent, where the mantissa begins, and its bits.
pub(super) fn float_fields(library: &Library, datatype: Hid) -> Result<[usize; 5]> {
    let mut fields = [0; 5];
    let [sign, exponent, exponent_bits, mantissa, mantissa_bits] = fields.each_mut().map(|field| &raw mut *field);
    h5_tool!(library, H5Tget_fields(datatype, sign, exponent, exponent_bits, mantissa, mantissa_bits))?;
    Ok(fields)
}

impl datatype::Ask for Library {
    type Error = Error;

    fn class(&self, datatype: Hid) -> Result<c_int> {
        h5!(self, H5Tget_class(datatype))
    }

    fn size(&self, datatype: Hid) -> Result<usize> {
        h5!(self, H5Tget_size(datatype))
    }

    fn precision(&self, datatype: Hid) -> Result<usize> {
        h5_optional!(self, H5Tget_precision(datatype))
    }

    fn order(&self, datatype: Hid) -> Result<c_int> {
        h5!(self, H5Tget_order(datatype))
    }

    fn sign(&self, datatype: Hid) -> Result<c_int> {
        h5!(self, H5Tget_sign(datatype))
    }

    fn fields(&self, datatype: Hid) -> Option<[usize; 5]> {
        float_fields(self, datatype).ok()
    }

    fn base_size(&self, datatype: Hid) -> Result<usize> {
        let base = Id::new(self, h5_optional!(self, H5Tget_super(datatype))?);
        self.size(base.get())
    }
}

/// HDF5's type of elements that are integers of this machine.
pub(super) fn native(library: &Library, element: ElementType) -> Result<Hid> {
    let ids = library.ids();
    let types = [
        (ElementType::I8, ids.native_int8),
        (ElementType::U8, ids.native_uint8),
        (ElementType::I16, ids.native_int16),
        (ElementType::U16, ids.native_uint16),
        (ElementType::I32, ids.native_int32),
        (ElementType::U32, ids.native_uint32),
    ];
    let found = types.into_iter().find(|(candidate, _)| *candidate == element);
    found.map(|(_, id)| id).ok_or_else(|| Error::Unsupported(format!("frames of {element} cannot be written")))
}

/// A number that can be stored in an attribute or a dataset as it is.
pub(super) trait Stored: Copy + Default {
    /// HDF5's type of it.
    fn datatype(library: &Library) -> Hid;
}

macro_rules! stored {
    ($($number:ty => $field:ident),*) => {$(
        impl Stored for $number {
            fn datatype(library: &Library) -> Hid {
                library.ids().$field
            }
        }
    )*};
}

stored!(i8 => native_int8, u8 => native_uint8, i16 => native_int16, u16 => native_uint16, i32 => native_int32,
        u32 => native_uint32, i64 => native_int64, u64 => native_uint64, f32 => native_float, f64 => native_double);

/// Sets an attribute to an array, or to a single number where `dims` is empty.
pub(super) fn set_numbers<T: Stored>(object: &Id, name: &str, dims: &[u64], numbers: &[T]) -> Result<()> {
    assert_eq!(dims.iter().product::<u64>(), numbers.len() as u64, "attribute {name}");
    let datatype = T::datatype(object.library());
    Attribute { object, datatype, dims, data: numbers.as_ptr().cast() }.set(name).map(drop)
}

/// Sets an attribute to one number.
pub(super) fn set_number<T: Stored>(object: &Id, name: &str, number: T) -> Result<()> {
    set_numbers(object, name, &[], &[number])
}

/// Sets an attribute to a string, or to an array of them: UTF-8 of any length, which Python reads as `str`.
pub(super) fn set_strings(object: &Id, name: &str, dims: &[u64], strings: &[&str]) -> Result<()> {
    const ANY_LENGTH: usize = usize::MAX;
    let library = object.library();
    let datatype = Id::new(library, h5!(library, H5Tcopy(library.ids().c_s1))?);
    h5!(library, H5Tset_size(datatype.get(), ANY_LENGTH))?;
    h5!(library, H5Tset_cset(datatype.get(), 1))?;
    let strings: Vec<CString> = strings.iter().map(|string| c_name(string)).collect::<Result<_>>()?;
    let pointers: Vec<*const c_char> = strings.iter().map(|string| string.as_ptr()).collect();
    Attribute { object, datatype: datatype.get(), dims, data: pointers.as_ptr().cast() }.set(name).map(drop)
}

/// Sets an attribute to one string.
pub(super) fn set_string(object: &Id, name: &str, string: &str) -> Result<()> {
    set_strings(object, name, &[], &[string])
}

/// What an attribute of `object` is to be: an array of `dims`, which `data` is the first element of.
struct Attribute<'a> {
    object: &'a Id,
    datatype: Hid,
    dims: &'a [u64],
    data: *const c_void,
}

impl Attribute<'_> {
    /// Sets the attribute `name`: in place where it is of this kind. Another one does not go before the new value is in the file.
    fn set(&self, name: &str) -> Result<Id> {
        let spare = format!("{name} (new)");
        let is_spare = !attribute_is_missing(self.object, &spare)?;
        let is_there = !attribute_is_missing(self.object, name)?;
        if is_there && let Some(attribute) = self.overwrite(name)? {
            return Ok(attribute);
        }
        if is_there && is_spare {
            self.delete(&spare)?;
        }
        if is_there {
            self.make(&spare)?;
            self.delete(name)?;
        }
        let attribute = self.make(name)?;
        if is_there || is_spare {
            self.delete(&spare)?;
        }
        Ok(attribute)
    }

    /// The attribute that is there, with its new value; `None` where it is of another kind.
    fn overwrite(&self, name: &str) -> Result<Option<Id>> {
        let attribute = open_attribute(self.object, name)?;
        let space = Id::new(self.library(), h5!(self.library(), H5Aget_space(attribute.get()))?);
        let is_written = extent(&space)?.0 == self.dims && self.write(&attribute).is_ok();
        Ok(is_written.then_some(attribute))
    }

    /// Makes the attribute, or leaves none.
    fn make(&self, name: &str) -> Result<Id> {
        let (library, c_name) = (self.library(), c_name(name)?);
        let space = dataspace(library, self.dims, false)?;
        let (object, datatype) = (self.object.get(), self.datatype);
        let id = h5!(library, H5Acreate2(object, c_name.as_ptr(), datatype, space.get(), DEFAULT, DEFAULT))?;
        let attribute = Id::new(library, id);
        let Err(error) = self.write(&attribute) else { return Ok(attribute) };
        let _ = self.delete(name);
        Err(error)
    }

    fn write(&self, attribute: &Id) -> Result<()> {
        h5!(self.library(), H5Awrite(attribute.get(), self.datatype, self.data)).map(drop)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let name = c_name(name)?;
        h5!(self.library(), H5Adelete(self.object.get(), name.as_ptr())).map(drop)
    }

    fn library(&self) -> &Library {
        self.object.library()
    }
}

fn open_attribute(object: &Id, name: &str) -> Result<Id> {
    let (library, name) = (object.library(), c_name(name)?);
    Ok(Id::new(library, h5!(library, H5Aopen(object.get(), name.as_ptr(), DEFAULT))?))
}

/// Whether `object` has no attribute `name`.
pub(super) fn attribute_is_missing(object: &Id, name: &str) -> Result<bool> {
    let name = c_name(name)?;
    Ok(h5!(object.library(), H5Aexists(object.get(), name.as_ptr()))? == 0)
}

/// The attribute that holds one number, made where it is missing or something else, to be written to.
pub(super) fn number_to_write<T: Stored>(object: &Id, name: &str) -> Result<Id> {
    if number::<T>(object, name)?.is_some() {
        return open_attribute(object, name);
    }
    let zero = T::default();
    let datatype = T::datatype(object.library());
    Attribute { object, datatype, dims: &[], data: (&raw const zero).cast() }.set(name)
}

/// Reads an attribute that holds one number; `None` where there is none, or something else.
pub(super) fn number<T: Stored>(object: &Id, name: &str) -> Result<Option<T>> {
    if attribute_is_missing(object, name)? {
        return Ok(None);
    }
    let (library, attribute) = (object.library(), open_attribute(object, name)?);
    let space = Id::new(library, h5!(library, H5Aget_space(attribute.get()))?);
    if !extent(&space)?.0.is_empty() {
        return Ok(None);
    }
    let mut number = T::default();
    h5!(library, H5Aread(attribute.get(), T::datatype(library), (&raw mut number).cast()))?;
    Ok(Some(number))
}

/// Reads an attribute of up to `most` numbers; `None` where there is none, or more.
pub(super) fn numbers<T: Stored>(object: &Id, name: &str, most: usize) -> Result<Option<Vec<T>>> {
    if attribute_is_missing(object, name)? {
        return Ok(None);
    }
    let (library, attribute) = (object.library(), open_attribute(object, name)?);
    let space = Id::new(library, h5!(library, H5Aget_space(attribute.get()))?);
    let n = extent(&space)?.0.iter().fold(1, |n: u64, dim| n.saturating_mul(*dim));
    let Some(n) = usize::try_from(n).ok().filter(|n| *n <= most) else { return Ok(None) };
    let mut numbers = vec![T::default(); n];
    h5!(library, H5Aread(attribute.get(), T::datatype(library), numbers.as_mut_ptr().cast()))?;
    Ok(Some(numbers))
}
