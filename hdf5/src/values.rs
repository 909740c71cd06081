//! Values as they can be compared, wherever they are stored: strings by their text, references by what they lead to.
//!
//! For attributes, and for datasets whose elements refer to other places of the file.

#![allow(unsafe_code)]

mod holes;

use std::ffi::{CStr, c_void};
use std::fmt;

use crate::api::Hid;
use crate::library::{DEFAULT, Library, h5, h5_optional, h5_tool};
use crate::number::{self, NumberType, Scalar};
use crate::object::{self, Id, c_name};
use crate::text::{self, Padding};
use crate::tree::{self, Paths, Walked};
use crate::{Error, Result, claim, words};
use darkchunk::salvage::buffer;
use darkchunk_hdf5_abi::constants::{
    H5R_DATASET_REGION, H5R_OBJECT, H5S_NULL, H5S_SELECT_SET, H5T_ARRAY, H5T_COMPOUND, H5T_REFERENCE, H5T_STRING,
    H5T_VLEN,
};

/// Types within types. HDF5 has no limit; a damaged file may.
const MAX_DEPTH: usize = 32;

/// Bytes of a value that are shown.
const MAX_SHOWN: usize = 60;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Number(Scalar),
    /// A string, to its end.
    Text(Vec<u8>),
    /// Bytes of other kinds.
    Bytes(Vec<u8>),
    /// The path that a reference leads to; `None` for an empty one.
    Reference(Option<String>),
    /// The elements of an array or a sequence.
    List(Vec<Value>),
    /// The members of a compound.
    Members(Vec<Value>),
}

/// What an attribute is.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its datatype, in words.
    pub datatype: String,
    /// Its extent; `None` where it has none.
    pub dims: Option<Vec<u64>>,
    /// Its elements; an error where they cannot be compared.
    pub values: std::result::Result<Vec<Value>, Error>,
}

/// What is known of a file: the paths of its objects, to which references lead.
#[derive(Debug)]
pub struct Objects {
    library: Library,
    file: Hid,
    paths: Paths,
    /// Other files with some of them, which stay open.
    _files: Vec<Id>,
}

/// A sequence in memory (`hvl_t`).
#[repr(C)]
struct Sequence {
    len: usize,
    elements: *const u8,
}

/// Elements in memory, with what they refer to there, which is given back in the end.
struct Memory<'a> {
    kind: &'a Id,
    space: &'a Id,
    words: Vec<u64>,
    n_elements: usize,
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        let (library, kind, space) = (self.kind.library(), self.kind.get(), self.space.get());
        object::reclaim(library, kind, space, self.words.as_mut_ptr().cast::<c_void>());
    }
}

impl<'a> Memory<'a> {
    fn new(kind: &'a Id, space: &'a Id) -> Result<Self> {
        let library = kind.library();
        let n_elements = h5_tool!(library, H5Sget_simple_extent_npoints(space.get()))?;
        let n_elements = usize::try_from(n_elements).unwrap_or(usize::MAX);
        let n_bytes = h5!(library, H5Tget_size(kind.get()))?.saturating_mul(n_elements);
        // Refuses what there is no memory for.
        drop(buffer(n_bytes)?);
        Ok(Self { kind, space, words: vec![0; n_bytes.div_ceil(8)], n_elements })
    }
}

impl Objects {
    /// Looks at all of an open file.
    ///
    /// # Errors
    /// As [`tree::walk`].
    pub fn of(library: &Library, file: Hid) -> Result<Self> {
        Self::found(library, file, false)
    }

    /// The same with what external links lead to, as [`tree::walk_merged`] has it.
    ///
    /// # Errors
    /// As [`tree::walk_merged`].
    pub fn of_merged(library: &Library, file: Hid) -> Result<Self> {
        Self::found(library, file, true)
    }

    fn found(library: &Library, file: Hid, is_merged: bool) -> Result<Self> {
        let Walked { paths, files, .. } = tree::walk_known(library, file, "/", is_merged)?;
        Ok(Self { library: library.clone(), file, paths, _files: files })
    }

    /// The attributes of the object at `path`, by their names.
    ///
    /// # Errors
    /// What HDF5 says. What is wrong with one attribute's value is in its own place.
    pub fn attributes(&self, path: &str) -> Result<Vec<Attribute>> {
        let object = object::open(&self.library, self.file, path)?;
        let mut names = tree::attributes(&object)?;
        names.sort();
        names.into_iter().map(|name| self.attribute(&object, name)).collect()
    }

    fn attribute(&self, object: &Id, name: String) -> Result<Attribute> {
        let (library, c_name) = (&self.library, c_name(&name)?);
        let attribute = Id::new(library, h5!(library, H5Aopen(object.get(), c_name.as_ptr(), DEFAULT))?);
        let kind = Id::new(library, h5_tool!(library, H5Aget_type(attribute.get()))?);
        let space = Id::new(library, h5!(library, H5Aget_space(attribute.get()))?);
        let datatype = words::datatype(library, kind.get())?;
        if h5_tool!(library, H5Sget_simple_extent_type(space.get()))? == H5S_NULL {
            return Ok(Attribute { name, datatype, dims: None, values: Ok(Vec::new()) });
        }
        let read = || {
            let mut memory = Memory::new(&kind, &space)?;
            h5!(library, H5Aread(attribute.get(), kind.get(), memory.words.as_mut_ptr().cast()))?;
            self.values(object, &memory)
        };
        let values = read();
        Ok(Attribute { name, datatype, dims: Some(object::extent(&space)?.0), values })
    }

    /// `n` elements from `first` on of the dataset `path`, counted row by row along the first axis: whole rows of it.
    ///
    /// # Errors
    /// What HDF5 says; [`Error::Unsupported`] for elements that cannot be compared.
    pub fn rows(&self, path: &str, first: u64, n: u64) -> Result<Vec<Value>> {
        let library = &self.library;
        let dataset = object::open(library, self.file, path)?;
        let kind = Id::new(library, h5!(library, H5Dget_type(dataset.get()))?);
        let file = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
        let mut count = object::extent(&file)?.0;
        if let Some(rows) = count.first_mut() {
            *rows = n;
            let mut start = vec![0; count.len()];
            start[0] = first;
            let (start, none, count) = (start.as_ptr(), std::ptr::null(), count.as_ptr());
            h5_optional!(library, H5Sselect_hyperslab(file.get(), H5S_SELECT_SET, start, none, count, none))?;
        }
        let space = object::dataspace(library, &count, false)?;
        let mut memory = Memory::new(&kind, &space)?;
        let data = memory.words.as_mut_ptr().cast();
        match h5!(library, H5Dread(dataset.get(), kind.get(), space.get(), file.get(), DEFAULT, data)) {
            Ok(_) => self.values(&dataset, &memory),
            Err(error) => self.rows_with_holes(&dataset, &kind, &(first..first.saturating_add(n)))?.ok_or(error),
        }
    }

    fn values(&self, object: &Id, memory: &Memory<'_>) -> Result<Vec<Value>> {
        let kind = memory.kind;
        let n_bytes = h5!(&self.library, H5Tget_size(kind.get()))?;
        let data = memory.words.as_ptr().cast::<u8>();
        let walk = Walk { objects: self, object };
        // SAFETY: HDF5 has filled in so many elements of this type.
        unsafe { walk.elements(kind.get(), n_bytes, memory.n_elements, data, 0) }
    }
}

struct Walk<'a> {
    objects: &'a Objects,
    object: &'a Id,
}

impl Walk<'_> {
    /// # Safety
    /// `data` points to so many elements of the type `kind`, of `n_bytes` each, that HDF5 has filled in.
    unsafe fn elements(
        &self,
        kind: Hid,
        n_bytes: usize,
        n: usize,
        data: *const u8,
        depth: usize,
    ) -> Result<Vec<Value>> {
        let number = number::of_type(&self.objects.library, kind)?;
        let mut values = Vec::new();
        for index in 0..n {
            // SAFETY: within the elements, by the caller's promise.
            let element = unsafe { data.add(index * n_bytes) };
            // SAFETY: as above.
            values.push(unsafe { self.element(kind, number, n_bytes, element, depth) }?);
        }
        Ok(values)
    }

    /// # Safety
    /// `data` points to one element of the type `kind`, of `n_bytes`, that HDF5 has filled in.
    unsafe fn element(
        &self,
        kind: Hid,
        number: Option<NumberType>,
        n_bytes: usize,
        data: *const u8,
        depth: usize,
    ) -> Result<Value> {
        let library = &self.objects.library;
        if depth > MAX_DEPTH {
            return Err(Error::Unsupported("its type has too many types within each other to be compared".into()));
        }
        // SAFETY: the caller's promise.
        let bytes = unsafe { std::slice::from_raw_parts(data, n_bytes) };
        if let Some(number) = number {
            return Ok(Value::Number(number.value(bytes)));
        }
        match h5!(library, H5Tget_class(kind))? {
            H5T_STRING if h5_optional!(library, H5Tis_variable_str(kind))? != 0 => {
                // SAFETY: HDF5 gives a string of variable length as a pointer, at any place of a compound.
                let text = unsafe { data.cast::<*const i8>().read_unaligned() };
                if text.is_null() {
                    return Ok(Value::Text(Vec::new()));
                }
                // SAFETY: it points to a C string.
                Ok(Value::Text(unsafe { CStr::from_ptr(text.cast()) }.to_bytes().to_vec()))
            }
            H5T_STRING => {
                let padding = text::of_type(library, kind)?.unwrap_or(Padding::NullTerminated);
                Ok(Value::Text(padding.text(bytes).to_vec()))
            }
            H5T_REFERENCE => self.reference(bytes),
            H5T_COMPOUND => {
                let n_members = h5_optional!(library, H5Tget_nmembers(kind))?.cast_unsigned();
                let mut members = Vec::new();
                for index in 0..n_members {
                    let member = Id::new(library, h5_optional!(library, H5Tget_member_type(kind, index))?);
                    let at = h5_tool!(library, H5Tget_member_offset(kind, index))?.cast_unsigned();
                    let member_bytes = h5!(library, H5Tget_size(member.get()))?;
                    let number = number::of_type(library, member.get())?;
                    // SAFETY: HDF5 says that the member is there.
                    let place = unsafe { data.add(at) };
                    // SAFETY: as above.
                    members.push(unsafe { self.element(member.get(), number, member_bytes, place, depth + 1) }?);
                }
                Ok(Value::Members(members))
            }
            H5T_ARRAY => {
                let (base, base_bytes) = base(library, kind)?;
                // SAFETY: an array is its elements, one after the other.
                let values = unsafe { self.elements(base.get(), base_bytes, n_bytes / base_bytes, data, depth + 1) };
                values.map(Value::List)
            }
            H5T_VLEN => {
                let (base, base_bytes) = base(library, kind)?;
                // SAFETY: HDF5 gives a sequence as an `hvl_t`, which it may have put at any place of a compound.
                let Sequence { len, elements } = unsafe { data.cast::<Sequence>().read_unaligned() };
                // SAFETY: HDF5 has allocated and filled in as many elements as the sequence has.
                unsafe { self.elements(base.get(), base_bytes, len, elements, depth + 1) }.map(Value::List)
            }
            _ => Ok(Value::Bytes(bytes.to_vec())),
        }
    }

    fn reference(&self, bytes: &[u8]) -> Result<Value> {
        let kind = match bytes.len() {
            8 => H5R_OBJECT,
            12 => H5R_DATASET_REGION,
            n => {
                return Err(Error::Unsupported(format!(
                    "references of {n} bytes (H5T_STD_REF) cannot be compared yet"
                )));
            }
        };
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(Value::Reference(None));
        }
        let library = &self.objects.library;
        let mut aligned = [0_u64; 2];
        for (word, part) in aligned.iter_mut().zip(bytes.chunks(8)) {
            let mut eight = [0; 8];
            eight[..part.len()].copy_from_slice(part);
            *word = u64::from_ne_bytes(eight);
        }
        let place = aligned.as_ptr().cast();
        let found = h5_tool!(library, H5Rdereference2(self.object.get(), DEFAULT, kind, place));
        let Ok(target) = found.map(|id| Id::new(library, id)) else {
            return Ok(Value::Reference(Some("nothing".to_owned())));
        };
        let path = claim::identity(&target)?.and_then(|identity| self.objects.paths.get(&identity).cloned());
        Ok(Value::Reference(Some(path.unwrap_or_else(|| "an object without a name".to_owned()))))
    }
}

fn base(library: &Library, kind: Hid) -> Result<(Id, usize)> {
    let base = Id::new(library, h5_optional!(library, H5Tget_super(kind))?);
    let n_bytes = h5!(library, H5Tget_size(base.get()))?;
    Ok((base, n_bytes))
}

/// The attribute `name` of the object at `path`, where it is one string of UTF-8; `None` where there is none, or something else.
///
/// # Errors
/// What HDF5 says.
pub fn string(library: &Library, file: Hid, path: &str, name: &str) -> Result<Option<String>> {
    let object = object::open(library, file, path)?;
    if object::attribute_is_missing(&object, name)? {
        return Ok(None);
    }
    let objects = Objects { library: library.clone(), file, paths: Paths::default(), _files: Vec::new() };
    Ok(match objects.attribute(&object, name.to_owned())?.values.as_deref() {
        Ok([Value::Text(text)]) => String::from_utf8(text.clone()).ok(),
        _ => None,
    })
}

/// Sets the attribute `name` of the object at `path` to a string; one that is there is replaced.
///
/// # Errors
/// What HDF5 says, for instance of a file that is open to be read only; [`Error::Unsupported`] for a string with a null byte.
pub fn set_string(library: &Library, file: Hid, path: &str, name: &str, text: &str) -> Result<()> {
    object::set_string(&object::open(library, file, path)?, name, text)
}

/// Whether two datatypes, of any files, are the same.
///
/// # Errors
/// What HDF5 says.
pub fn same_type(library: &Library, a: (Hid, &str), b: (Hid, &str)) -> Result<bool> {
    let of = |(file, path)| -> Result<Id> {
        let dataset = object::open(library, file, path)?;
        Ok(Id::new(library, h5!(library, H5Dget_type(dataset.get()))?))
    };
    let (a, b) = (of(a)?, of(b)?);
    Ok(h5_tool!(library, H5Tequal(a.get(), b.get()))? > 0)
}

/// The datatype that has the name `path`, in words.
///
/// # Errors
/// What HDF5 says.
pub fn named_type(library: &Library, file: Hid, path: &str) -> Result<String> {
    words::datatype(library, object::open(library, file, path)?.get())
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |values: &[Self]| values.iter().map(Self::to_string).collect::<Vec<_>>().join(", ");
        let text = match self {
            Self::Number(number) => number.to_string(),
            Self::Text(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
            Self::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Reference(None) => "an empty reference".to_owned(),
            Self::Reference(Some(path)) => format!("-> {path}"),
            Self::List(values) => format!("[{}]", joined(values)),
            Self::Members(values) => format!("({})", joined(values)),
        };
        if text.chars().count() <= MAX_SHOWN {
            return out.write_str(&text);
        }
        write!(out, "{}…", text.chars().take(MAX_SHOWN).collect::<String>())
    }
}
