//! The systems that are built for, and how a library is called on each.

use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Linux,
    MacOs,
    Windows,
}

/// A system and a processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Rust's name.
    pub(crate) name: &'static str,
    /// The oldest glibc; empty where there is none, as in Linux with musl.
    pub(crate) glibc: &'static str,
    /// The wheel's platform.
    pub(crate) platform: &'static str,
    /// Name of the system and the processor, in the archive's name.
    pub(crate) archive: &'static str,
    pub(crate) system: System,
}

const fn target(
    name: &'static str,
    glibc: &'static str,
    platform: &'static str,
    archive: &'static str,
    system: System,
) -> Target {
    Target { name, glibc, platform, archive, system }
}

/// All of them; the first is what is built where none is named.
pub(crate) const TARGETS: [Target; 8] = [
    target("x86_64-unknown-linux-gnu", "2.17", "manylinux_2_17_x86_64", "linux-x86_64", System::Linux),
    target("aarch64-unknown-linux-gnu", "2.17", "manylinux_2_17_aarch64", "linux-aarch64", System::Linux),
    target("x86_64-apple-darwin", "", "macosx_11_0_x86_64", "macos-x86_64", System::MacOs),
    target("aarch64-apple-darwin", "", "macosx_11_0_arm64", "macos-arm64", System::MacOs),
    target("x86_64-pc-windows-gnullvm", "", "win_amd64", "windows-x86_64", System::Windows),
    target("x86_64-unknown-linux-musl", "", "musllinux_1_2_x86_64", "linux-musl-x86_64", System::Linux),
    target("aarch64-unknown-linux-musl", "", "musllinux_1_2_aarch64", "linux-musl-aarch64", System::Linux),
    target("aarch64-pc-windows-gnullvm", "", "win_arm64", "windows-arm64", System::Windows),
];

impl Target {
    pub(crate) fn find(name: &str) -> Result<Self> {
        let known = || TARGETS.map(|target| target.name).join(", ");
        TARGETS
            .into_iter()
            .find(|t| t.name == name)
            .ok_or_else(|| format!("no target `{name}`; there are: {}", known()))
    }

    /// From `--target T`, or nothing, which is None.
    pub(crate) fn from_arguments(command: &str, arguments: &[String]) -> Result<Option<Self>> {
        match arguments {
            [] => Ok(None),
            [option, name] if option == "--target" => Self::find(name).map(Some),
            _ => Err(format!("{command} takes --target T or nothing, not `{}`", arguments.join(" "))),
        }
    }

    /// Whether it is Linux with musl, as Alpine has it.
    pub(crate) fn is_musl(&self) -> bool {
        self.name.ends_with("-musl")
    }

    /// The file name of a shared library.
    pub(crate) fn shared(&self, name: &str) -> String {
        match self.system {
            System::Linux => format!("lib{name}.so"),
            System::MacOs => format!("lib{name}.dylib"),
            System::Windows => format!("{name}.dll"),
        }
    }

    /// The file name of a program.
    pub(crate) fn program(&self, name: &str) -> String {
        if self.system == System::Windows { format!("{name}.exe") } else { name.into() }
    }

    /// The processor as `xtask/python/binary.py` calls it.
    pub(crate) fn machine(&self) -> &'static str {
        if self.name.starts_with("x86_64") { "x86-64" } else { "arm64" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_an_error_that_names_all() {
        let message = Target::find("riscv64").map(|_| ()).expect_err("there is none");
        assert!(TARGETS.iter().all(|target| message.contains(target.name)), "{message}");
    }

    #[test]
    fn no_two_targets_have_a_name_a_wheel_or_an_archive_in_common() {
        let keys = [|t: &Target| t.name, |t: &Target| t.platform, |t: &Target| t.archive];
        for key in keys {
            let names: std::collections::BTreeSet<_> = TARGETS.iter().map(key).collect();
            assert_eq!(names.len(), TARGETS.len());
        }
    }
}
