//! What people without Python get: `dist/archives/darkchunk-VERSION-SYSTEM.tar.gz` (`.zip` for Windows), a folder that
//! works wherever it is put.

use crate::Result;
use crate::cross::{self, For};
use crate::dist::{PLUGINS, lay_out_stripped};
use crate::process::{output, program};
use crate::setup::python;
use crate::targets::{System, Target};
use crate::workspace::{root, target};
use std::path::PathBuf;

/// The archive of a system, built and checked.
pub(crate) fn build(to: &Target) -> Result<PathBuf> {
    let tools = cross::tools()?;
    let libraries = cross::build(&tools, to, For::Programs)?;
    let folder = target()?.join("wheel").join(to.name);
    lay_out_stripped(&folder.join("plugins"), &PLUGINS.map(|name| libraries.join(to.shared(name))))?;
    cross::lay_out_licences(&tools, to, &folder.join("licences"))?;
    let system = match to.system {
        System::Linux => "linux",
        System::MacOs => "macos",
        System::Windows => "windows",
    };
    let mut pack = program(python()?);
    pack.arg(root().join("xtask/python/archive.py")).args(["--system", system, "--name", to.archive]);
    pack.args(["--version", env!("CARGO_PKG_VERSION")]).arg("--plugins").arg(folder.join("plugins"));
    pack.arg("--library").arg(libraries.join(to.shared("darkchunk")));
    pack.arg("--command").arg(libraries.join(to.program("darkchunk")));
    if to.system == System::Windows {
        pack.arg("--import-library").arg(libraries.join("libdarkchunk.dll.a"));
    }
    pack.arg("--headers").arg(root().join("ffi/include")).arg("--licences").arg(folder.join("licences"));
    let path = output(pack.arg("--out").arg(root().join("dist/archives")))?;
    Ok(PathBuf::from(path.trim()))
}
