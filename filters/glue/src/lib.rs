//! What every HDF5 filter plugin of darkchunk shares: the ABI, parameters, buffers, the caller, the panic boundary.
//!
//! A plugin is a table and nothing else: `darkchunk_filter::export_filter!(darkchunk::codec::lz4::Lz4);`. All that a
//! format knows is in the core, in [`Codec`]; all that HDF5 asks of a plugin is here.
//!
//! No HDF5 is linked and no header is needed. Where a plugin must call HDF5 back, to complete its parameters when a
//! dataset is created and to say why it refused a chunk, it asks *the library that is calling it*: it takes the
//! return address of the call, finds the module that holds it, and looks the functions up there. So one
//! plugin serves several HDF5 libraries of different versions in one process. Where a chunk's size may be another one than
//! the parameters say, it is asked how large the chunks are that are open (`open_datasets`). A program that has HDF5
//! linked in statically and exports none of its symbols still reads and writes: then the parameters stay as the program
//! gave them, a refusal has no text, a chunk that contradicts its parameters is refused, and short chunks of other
//! writers are not noticed.
//!
//! What holds for every call: on failure HDF5's buffer is as it was; only on success it is replaced. No byte that was
//! not decoded or encoded is ever handed over. A panic never leaves the plugin. Nothing is written to stderr.

#![deny(unsafe_code)]

mod abi;
mod buffer;
mod caller;
mod entry;
mod errors;
mod filter;
mod functions;
mod guard;
mod host;
mod layout;
mod open_datasets;
mod set_local;
mod threads;

pub use abi::{Class, c_names, prepare};
pub use darkchunk_hdf5_abi::constants::{H5PL_TYPE_FILTER, H5Z_FLAG_OPTIONAL, H5Z_FLAG_REVERSE};
pub use entry::{filter, set_local};

#[doc(hidden)]
pub use darkchunk::codec::Codec;

/// The table of one codec in a static, with the words after darkchunk's version that say where it is.
#[macro_export]
macro_rules! class {
    ($class:ident, $codec:ty, $place:expr) => {
        static $class: $crate::Class = {
            const VERSION: &str = ::core::concat!("darkchunk ", ::core::env!("CARGO_PKG_VERSION"), ", ", $place);
            static NAME: [u8; <$codec as $crate::Codec>::NAME.len() + VERSION.len() + 2] =
                $crate::c_names(<$codec as $crate::Codec>::NAME, VERSION);
            $crate::Class::new::<$codec>(&NAME)
        };
    };
}

/// Makes the crate an HDF5 filter plugin of one codec: exports the two functions HDF5 looks for.
///
/// ```ignore
/// darkchunk_filter::export_filter!(darkchunk::codec::lz4::Lz4);
/// ```
#[macro_export]
macro_rules! export_filter {
    ($codec:ty) => {
        $crate::class!(CLASS, $codec, ::core::concat!("HDF5 plugin ", ::core::env!("CARGO_PKG_NAME")));

        /// What kind of plugin this is: a filter.
        #[allow(unsafe_code, reason = "HDF5 looks the name up")]
        #[unsafe(no_mangle)]
        pub extern "C" fn H5PLget_plugin_type() -> ::core::ffi::c_int {
            $crate::H5PL_TYPE_FILTER
        }

        /// The filter's table, valid as long as the library is loaded, which it stays.
        #[allow(unsafe_code, reason = "HDF5 looks the name up")]
        #[unsafe(no_mangle)]
        pub extern "C" fn H5PLget_plugin_info() -> *const ::core::ffi::c_void {
            $crate::prepare();
            (&raw const CLASS).cast()
        }
    };
}
