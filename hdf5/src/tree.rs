//! What is in a file: all links below a group, and what they lead to.
//!
//! An object that several hard links lead to is visited once, by the first path that was found; the others are
//! [`Kind::Same`]. Soft and external links are not followed.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};

use crate::api::Hid;
use crate::claim;
use crate::library::{DEFAULT, Library, h5, h5_tool};
use crate::object::{self, Id, c_name};
use crate::{Error, Result};
use darkchunk::salvage::buffer;
use darkchunk_hdf5_abi::LinkInfo;
use darkchunk_hdf5_abi::constants::{
    H5_INDEX_CRT_ORDER, H5_INDEX_NAME, H5_ITER_INC, H5I_DATASET, H5I_DATATYPE, H5I_GROUP, H5L_TYPE_EXTERNAL,
    H5L_TYPE_HARD, H5L_TYPE_SOFT, H5P_CRT_ORDER_TRACKED,
};

/// The value of a soft or external link is at most so long: two paths.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A group; what is in it comes next.
    Group,
    /// A dataset.
    Dataset,
    /// A datatype that has a name.
    Datatype,
    /// An object that was visited before, at this path.
    Same(String),
    /// A soft link to this path.
    Soft(String),
    /// A link to another file.
    External {
        /// The file.
        file: String,
        /// The path in it.
        path: String,
    },
    /// What HDF5 cannot open, or something else.
    Unreadable(Error),
}

/// One link of a file, or its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is: `/` or `/group/name`.
    pub path: String,
    /// What it leads to.
    pub kind: Kind,
}

/// The other names among `entries` of objects that have several, by the first.
#[must_use]
pub fn other_names(entries: &[Entry]) -> HashMap<&str, Vec<&str>> {
    let mut names = HashMap::<&str, Vec<&str>>::new();
    for entry in entries {
        if let Kind::Same(first) = &entry.kind {
            names.entry(first).or_default().push(&entry.path);
        }
    }
    names
}

/// All that is below the group or at the dataset `path` of a file: groups before what is in them, links in the order of their names,
/// or in that in which they were made where the group keeps it.
///
/// # Errors
/// [`Error::Unsupported`] where there is nothing at `path`; [`Error::MissingFunction`] where the library was not found by its names. What
/// cannot be read below `path` is [`Kind::Unreadable`].
pub fn walk(library: &Library, file: Hid, path: &str) -> Result<Vec<Entry>> {
    walk_known(library, file, path, false).map(|walked| walked.entries)
}

/// The paths by which objects were found first.
pub(crate) type Paths = HashMap<[u8; 16], String>;

/// The same with external links resolved: an object in another file is as one at that path, by which HDF5 opens it. So is what a soft
/// link of such a file leads to, if it counts from that file's root.
///
/// # Errors
/// As [`walk`]; what cannot be opened is [`Kind::Unreadable`].
pub fn walk_merged(library: &Library, file: Hid) -> Result<Vec<Entry>> {
    walk_known(library, file, "/", true).map(|walked| walked.entries)
}

/// What was found, with where each object was found first.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) entries: Vec<Entry>,
    pub(crate) paths: Paths,
    /// Other files with objects of these: a file that is closed and opened again is another one by HDF5's account.
    pub(crate) files: Vec<Id>,
}

/// A link that is to be looked at.
struct Link {
    path: String,
    /// What is known without opening an object.
    kind: Option<Kind>,
    /// Whether it is in another file than the root.
    is_abroad: bool,
}

/// The same, with where each object was found; with external links resolved where `is_merged`.
pub(crate) fn walk_known(library: &Library, file: Hid, path: &str, is_merged: bool) -> Result<Walked> {
    let path = if path.is_empty() { "/" } else { path };
    if path != "/" {
        check_there(library, file, path)?;
    }
    let mut walked = Walked { entries: Vec::new(), paths: Paths::new(), files: Vec::new() };
    // What is left to do, the next one last.
    let mut open = vec![Link { path: path.to_owned(), kind: None, is_abroad: false }];
    while let Some(Link { path, kind, is_abroad }) = open.pop() {
        let (kind, is_abroad) = match kind {
            Some(kind) if !is_merged || !leads_out(&kind, is_abroad) => (kind, is_abroad),
            None if !is_merged => (object_at(library, file, &path, &mut walked.paths), false),
            link => resolved(library, file, &path, link, &mut walked),
        };
        if kind == Kind::Group {
            match object::open(library, file, &path).and_then(|group| links(&group)) {
                Ok(links) => {
                    walked.entries.push(Entry { path: path.clone(), kind });
                    let link = |(name, kind): (String, _)| Link { path: joined(&path, &name), kind, is_abroad };
                    open.extend(links.into_iter().rev().map(link));
                }
                Err(error @ Error::MissingFunction { .. }) => return Err(error),
                Err(error) => walked.entries.push(Entry { path, kind: Kind::Unreadable(error) }),
            }
        } else {
            walked.entries.push(Entry { path, kind });
        }
    }
    Ok(walked)
}

/// Refuses a path at which there is nothing, or a link that leads nowhere.
///
/// # Errors
/// [`Error::Unsupported`] with what a link leads to; [`Error::MissingFunction`] as [`walk`].
pub fn check_there(library: &Library, file: Hid, path: &str) -> Result<()> {
    if !object::exists(library, file, path)? {
        return Err(Error::Unsupported(format!("there is nothing at {path}")));
    }
    let Err(error) = object::open(library, file, path) else { return Ok(()) };
    let (group, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
    let group = object::open(library, file, if group.is_empty() { "/" } else { group })?;
    let info = link_info(library, &group, name)?;
    Err(Error::Unsupported(match info.kind {
        H5L_TYPE_SOFT | H5L_TYPE_EXTERNAL => match value(&group, name, &info)? {
            Kind::External { file, path: target } => {
                format!("{path} is a link to {target} in the file {file}, which cannot be opened: {error}")
            }
            Kind::Soft(target) => format!("{path} is a link to {target}, where there is nothing"),
            _ => return Ok(()),
        },
        _ => return Ok(()),
    }))
}

/// Whether a link means another thing in a file that everything is put into.
fn leads_out(kind: &Kind, is_abroad: bool) -> bool {
    match kind {
        Kind::External { .. } => true,
        // A relative one leads to what is below its group.
        Kind::Soft(target) => is_abroad && target.starts_with('/'),
        _ => false,
    }
}

/// What a link leads to, and whether that is in another file than the root.
fn resolved(library: &Library, file: Hid, path: &str, link: Option<Kind>, walked: &mut Walked) -> (Kind, bool) {
    let why_not = |error: &Error| match &link {
        Some(Kind::External { file, path: target }) => {
            format!("it leads to {target} in the file {file}, which cannot be opened: {error}")
        }
        Some(Kind::Soft(target)) => format!("it leads to {target} of its own file, where there is nothing: {error}"),
        _ => error.to_string(),
    };
    let is_abroad = object::open(library, file, path).and_then(|object| is_abroad(library, file, &object, walked));
    match (is_abroad, object_at(library, file, path, &mut walked.paths)) {
        (Err(error), _) | (_, Kind::Unreadable(error)) => {
            (Kind::Unreadable(if link.is_some() { Error::Unsupported(why_not(&error)) } else { error }), false)
        }
        (Ok(is_abroad), kind) => (kind, is_abroad),
    }
}

/// Whether an object is in another file than the root, which is kept open then.
fn is_abroad(library: &Library, root: Hid, object: &Id, walked: &mut Walked) -> Result<bool> {
    // The first half of an identity is that of the file.
    let file_of = |object: &Id| -> Result<[u8; 8]> {
        let identity = claim::identity(object)?.ok_or(Error::MissingFunction { name: "H5Oget_info3" })?;
        Ok(*identity.first_chunk().unwrap_or(&[0; 8]))
    };
    let (here, there) = (file_of(&object::open(library, root, "/")?)?, file_of(object)?);
    if here == there {
        return Ok(false);
    }
    let mut is_known = false;
    for file in &walked.files {
        is_known |= file_of(file)? == there;
    }
    if !is_known {
        walked.files.push(object::file_of(object)?);
    }
    Ok(true)
}

fn joined(group: &str, name: &str) -> String {
    format!("{}/{name}", group.trim_end_matches('/'))
}

/// The object at a hard link.
fn object_at(library: &Library, file: Hid, path: &str, seen: &mut Paths) -> Kind {
    let kind = object::open(library, file, path).and_then(|object| {
        let identity = claim::identity(&object)?.ok_or(Error::MissingFunction { name: "H5Oget_info3" })?;
        if let Some(first) = seen.get(&identity) {
            return Ok(Kind::Same(first.clone()));
        }
        seen.insert(identity, path.to_owned());
        Ok(match h5!(library, H5Iget_type(object.get()))? {
            H5I_GROUP => Kind::Group,
            H5I_DATASET => Kind::Dataset,
            H5I_DATATYPE => Kind::Datatype,
            _ => Kind::Unreadable(Error::Unsupported("it is neither group, nor dataset, nor datatype".into())),
        })
    });
    kind.unwrap_or_else(Kind::Unreadable)
}

/// The links of a group, with what is known without opening an object.
fn links(group: &Id) -> Result<Vec<(String, Option<Kind>)>> {
    let library = group.library();
    names(group)?
        .into_iter()
        .map(|name| {
            let Ok(name) = name else {
                let why = "its name is not UTF-8".to_owned();
                return Ok(("?".to_owned(), Some(Kind::Unreadable(Error::Unsupported(why)))));
            };
            let info = link_info(library, group, &name)?;
            let kind = match info.kind {
                H5L_TYPE_HARD => None,
                H5L_TYPE_SOFT | H5L_TYPE_EXTERNAL => Some(value(group, &name, &info).unwrap_or_else(Kind::Unreadable)),
                other => Some(Kind::Unreadable(Error::Unsupported(format!("it is a link of the kind {other}")))),
            };
            Ok((name, kind))
        })
        .collect()
}

/// Whether a group with these properties keeps the order in which links were made.
pub(crate) fn keeps_order(group: &Id) -> Result<bool> {
    let (library, mut flags) = (group.library(), 0);
    let properties = Id::new(library, h5_tool!(library, H5Gget_create_plist(group.get()))?);
    h5_tool!(library, H5Pget_link_creation_order(properties.get(), &raw mut flags))?;
    Ok(flags & H5P_CRT_ORDER_TRACKED != 0)
}

type Names = Vec<std::result::Result<String, std::string::FromUtf8Error>>;

fn names(group: &Id) -> Result<Names> {
    let library = group.library();
    let index = if keeps_order(group)? { H5_INDEX_CRT_ORDER } else { H5_INDEX_NAME };
    let (mut names, mut next): (Names, u64) = (Vec::new(), 0);
    let (next, data) = (&raw mut next, (&raw mut names).cast());
    if library.tools().H5Literate2.is_some() {
        h5_tool!(library, H5Literate2(group.get(), index, H5_ITER_INC, next, Some(take_link), data))?;
    } else {
        h5_tool!(library, H5Literate(group.get(), index, H5_ITER_INC, next, Some(take_link), data))?;
    }
    Ok(names)
}

unsafe extern "C" fn take_link(_: Hid, name: *const c_char, _: *const LinkInfo, names: *mut c_void) -> c_int {
    // SAFETY: HDF5 hands in the name and the pointer that it was given, in `names` and `attributes`.
    unsafe { take_name(name, names) }
}

unsafe extern "C" fn take_attribute(_: Hid, name: *const c_char, _: *const c_void, names: *mut c_void) -> c_int {
    // SAFETY: as above.
    unsafe { take_name(name, names) }
}

/// # Safety
/// `name` is a C string, `names` points to [`Names`] that nobody else uses.
unsafe fn take_name(name: *const c_char, names: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    // SAFETY: the caller's promise.
    let names = unsafe { &mut *names.cast::<Names>() };
    names.push(String::from_utf8(name.to_bytes().to_vec()));
    0
}

/// The character set of the name of the link at `path`.
pub(crate) fn character_set(library: &Library, file: Hid, path: &str) -> Result<c_int> {
    let (group, name) = path.rsplit_once('/').unwrap_or(("", path));
    let group = object::open(library, file, if group.is_empty() { "/" } else { group })?;
    Ok(link_info(library, &group, name)?.character_set)
}

/// The names of an object's attributes, in the order in which they were made where the object keeps it.
///
/// # Errors
/// What HDF5 says; [`Error::Unsupported`] for a name that is not UTF-8.
pub(crate) fn attributes(object: &Id) -> Result<Vec<String>> {
    // HDF5 refuses the first where the object does not keep that order.
    let by_age = attributes_by(object, H5_INDEX_CRT_ORDER);
    if let Err(Error::Hdf5 { .. }) = by_age { attributes_by(object, H5_INDEX_NAME) } else { by_age }
}

fn attributes_by(object: &Id, index: c_int) -> Result<Vec<String>> {
    let (library, mut names, mut next): (&Library, Names, u64) = (object.library(), Vec::new(), 0);
    let (next, data) = (&raw mut next, (&raw mut names).cast());
    h5_tool!(library, H5Aiterate2(object.get(), index, H5_ITER_INC, next, Some(take_attribute), data))?;
    let utf8 = |name: std::result::Result<String, _>| {
        name.map_err(|_| Error::Unsupported("an attribute has a name that is not UTF-8".into()))
    };
    names.into_iter().map(utf8).collect()
}

fn link_info(library: &Library, group: &Id, name: &str) -> Result<LinkInfo> {
    let (name, mut info) = (c_name(name)?, LinkInfo::EMPTY);
    if library.tools().H5Lget_info2.is_some() {
        h5_tool!(library, H5Lget_info2(group.get(), name.as_ptr(), &raw mut info, DEFAULT))?;
    } else {
        h5_tool!(library, H5Lget_info(group.get(), name.as_ptr(), &raw mut info, DEFAULT))?;
    }
    Ok(info)
}

/// Where a soft or external link leads to.
fn value(group: &Id, name: &str, info: &LinkInfo) -> Result<Kind> {
    let (library, c_name, n_bytes) = (group.library(), c_name(name)?, info.value_bytes);
    if n_bytes > MAX_VALUE_BYTES {
        return Err(Error::Unsupported(format!("a link of {n_bytes} bytes: the file is damaged")));
    }
    let mut bytes = buffer(n_bytes)?;
    let data = bytes.as_mut_ptr().cast();
    h5_tool!(library, H5Lget_val(group.get(), c_name.as_ptr(), data, n_bytes, DEFAULT))?;
    let text = |bytes: &[u8]| {
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        String::from_utf8(bytes).map_err(|_| Error::Unsupported("it leads to a path that is not UTF-8".into()))
    };
    if info.kind == H5L_TYPE_SOFT {
        return text(&bytes).map(Kind::Soft);
    }
    // A byte of version and flags, then the file's name and the path, each with a zero at its end.
    let rest = bytes.get(1..).unwrap_or_default();
    let file = text(rest)?;
    let path = text(rest.get(file.len() + 1..).unwrap_or_default())?;
    Ok(Kind::External { file, path })
}
