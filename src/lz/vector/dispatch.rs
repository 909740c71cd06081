//! The step into code that is compiled for an instruction set.

#![allow(unsafe_code)]

use super::Lanes;
#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::sse41::Sse41;
use crate::cpu::Level;

/// A whole block's work, compiled for each kind of lanes.
pub(crate) trait Work {
    /// What comes of it.
    type Output;

    /// Does it. `#[inline(always)]`, so that it is compiled with what the lanes use.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// Does the work with the best lanes of `level`.
pub(crate) fn with_lanes<W: Work>(level: Level, work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(lanes) = Avx512::new(level) {
            // SAFETY: `lanes` proves these features.
            return unsafe { with_avx512(lanes, work) };
        }
        if let Some(lanes) = Avx2::new(level) {
            // SAFETY: `lanes` proves these features.
            return unsafe { with_avx2(lanes, work) };
        }
        if let Some(lanes) = Sse41::new(level) {
            // SAFETY: `lanes` proves this feature.
            return unsafe { with_sse41(lanes, work) };
        }
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(lanes) = Neon::new(level) {
        // SAFETY: `lanes` proves this feature.
        return unsafe { with_neon(lanes, work) };
    }
    let _ = level;
    work.run(Portable)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi")]
fn with_avx512<W: Work>(lanes: Avx512, work: W) -> W::Output {
    work.run(lanes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn with_avx2<W: Work>(lanes: Avx2, work: W) -> W::Output {
    work.run(lanes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.1")]
fn with_sse41<W: Work>(lanes: Sse41, work: W) -> W::Output {
    work.run(lanes)
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn with_neon<W: Work>(lanes: Neon, work: W) -> W::Output {
    work.run(lanes)
}
