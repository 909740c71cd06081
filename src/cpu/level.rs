//! The instruction sets that the processor has, found once at run time.
//!
//! A [`Level`] is a proof: it can only be had where the processor has every instruction that the level stands for, so
//! a kernel that is handed one may use them. `DARKCHUNK_MAX_LEVEL` lowers the level (never raises it);
//! `DARKCHUNK_REQUIRE_LEVEL` makes a test run fail where a level is missing, instead of passing on a smaller machine.

use std::sync::OnceLock;

/// The instruction sets that kernels are written for, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust: the specification of every kernel.
    Scalar,
    /// aarch64 NEON.
    Neon,
    /// x86-64 up to SSE4.1.
    Sse41,
    /// x86-64 AVX2 with BMI1, BMI2, LZCNT and POPCNT.
    Avx2,
    /// x86-64 AVX-512 F, BW, DQ, VL, VBMI, VBMI2, VNNI and GFNI, on top of AVX2.
    Avx512,
}

impl Isa {
    /// Every instruction set, weakest first.
    pub const ALL: [Self; 5] = [Self::Scalar, Self::Neon, Self::Sse41, Self::Avx2, Self::Avx512];

    /// The name used by `DARKCHUNK_MAX_LEVEL` and in benchmarks.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Sse41 => "sse41",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|isa| isa.name() == name)
    }

    #[cfg(target_arch = "x86_64")]
    fn is_detected(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Neon => false,
            Self::Sse41 => is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3"),
            Self::Avx2 => {
                Self::Sse41.is_detected()
                    && is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("lzcnt")
                    && is_x86_feature_detected!("popcnt")
            }
            Self::Avx512 => {
                Self::Avx2.is_detected()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vbmi")
                    && is_x86_feature_detected!("avx512vbmi2")
                    && is_x86_feature_detected!("avx512vnni")
                    && is_x86_feature_detected!("gfni")
            }
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn is_detected(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            _ => false,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn is_detected(self) -> bool {
        self == Self::Scalar
    }
}

/// An instruction set that this processor has: it cannot be made for one that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(Isa);

impl Level {
    /// Plain Rust, which every processor has.
    pub const SCALAR: Self = Self(Isa::Scalar);

    /// The level for `isa`, or `None` where this processor (or `DARKCHUNK_MAX_LEVEL`) does not allow it.
    #[must_use]
    pub fn new(isa: Isa) -> Option<Self> {
        Self::available().iter().copied().find(|level| level.0 == isa)
    }

    /// The best level allowed here. Found on the first call, then remembered.
    #[must_use]
    pub fn current() -> Self {
        Self::available().last().copied().unwrap_or(Self::SCALAR)
    }

    /// Every level allowed here, weakest (scalar) first.
    ///
    /// An unknown name in `DARKCHUNK_MAX_LEVEL` lowers to scalar: a variable that was set to lower the level must
    /// never be without effect.
    #[must_use]
    pub fn available() -> &'static [Self] {
        static AVAILABLE: OnceLock<Vec<Level>> = OnceLock::new();
        AVAILABLE.get_or_init(|| {
            let most = match std::env::var_os("DARKCHUNK_MAX_LEVEL") {
                Some(name) if !name.is_empty() => name.to_str().and_then(Isa::from_name).unwrap_or(Isa::Scalar),
                _ => Isa::Avx512,
            };
            let levels = Isa::ALL.into_iter().filter(|isa| *isa <= most && isa.is_detected());
            levels.map(Level).collect()
        })
    }

    /// The instruction set this level stands for: what a kernel dispatches on.
    #[must_use]
    pub fn isa(self) -> Isa {
        self.0
    }

    /// Says why the level that `DARKCHUNK_REQUIRE_LEVEL` asks for is missing; `None` where it is there or not asked for.
    #[must_use]
    pub fn missing_requirement() -> Option<String> {
        let name = std::env::var("DARKCHUNK_REQUIRE_LEVEL").ok().filter(|name| !name.is_empty())?;
        let has = Isa::from_name(&name).is_some_and(|isa| Self::new(isa).is_some());
        (!has).then(|| format!("DARKCHUNK_REQUIRE_LEVEL={name}, but this run has only {:?}", Self::available()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_required_level_is_there() {
        assert_eq!(Level::missing_requirement(), None);
    }

    #[test]
    fn scalar_is_always_first() {
        assert_eq!(Level::available().first(), Some(&Level::SCALAR));
    }
}
