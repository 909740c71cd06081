//! How much may be written to a folder.

#![allow(unsafe_code)]

use std::path::Path;

/// Bytes that can be written below a folder, and where that is memory, that there are; `None` where the system does not say.
#[cfg(target_os = "linux")]
#[must_use]
pub fn available(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    const TMPFS: libc::c_long = 0x0102_1994;
    let name = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    // SAFETY: a structure of numbers, for all of which zero is a value.
    let mut found = unsafe { std::mem::zeroed::<libc::statfs64>() };
    // SAFETY: a C string and a structure that both live through the call.
    if unsafe { libc::statfs64(name.as_ptr(), &raw mut found) } != 0 {
        return None;
    }
    let free = (found.f_bavail as u64).saturating_mul(found.f_bsize as u64);
    if found.f_type as libc::c_long != TMPFS {
        return Some(free);
    }
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Some(kilobytes.map_or(free, |kilobytes| free.min(kilobytes.saturating_mul(1024))))
}

/// Bytes that can be written below a folder; `None` where the system does not say.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn available(_folder: &Path) -> Option<u64> {
    None
}
