//! What a dataset is to be stored with, as a user writes it.

use std::str::FromStr;

use darkchunk::chunk::Compression;
use darkchunk::codec::blosc::{Compressor, Shuffle};

/// All that can be written, for messages.
pub const WORDS: &str = "none, keep, lz4, zstd[:LEVEL], gzip[:LEVEL], shuffle-gzip[:LEVEL], bitshuffle-lz4, \
    bitshuffle-zstd[:LEVEL], blosc[:COMPRESSOR[:LEVEL[:none|byte|bit]]], drle[:THRESHOLD[:packed]], bounded:exact, \
    bounded:absolute=COUNTS, bounded:noise=BETA, bounded:relative=SHARE";

/// HDF5's own filters.
const GZIP: u32 = 1;
const SHUFFLE: u32 = 2;

/// What a target takes away.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Loss {
    /// Nothing.
    #[default]
    None,
    /// Pixels below this become 0.
    Threshold(u16),
    /// Pixels are off by so much at most.
    Within(f64),
    /// Pixels are off by a bound that depends on them.
    Bounded,
}

/// What a dataset is to be stored with. The default is as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spec {
    /// The filters with the parameters that a user gives; `None` leaves a dataset as it is.
    pub filters: Option<Vec<(u32, Vec<u32>)>>,
    /// What it takes away.
    pub loss: Loss,
}

impl Spec {
    /// As the dataset is.
    pub const KEEP: Self = Self { filters: None, loss: Loss::None };

    fn of(compression: Compression) -> Self {
        let Compression { filter, values } = compression;
        Self { filters: Some(filter.map(|id| (id, values)).into_iter().collect()), loss: Loss::None }
    }
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let parts: Vec<&str> = parts.collect();
        parse(name, &parts).map_err(|what| format!("{text:?}: {what}; a target is one of {WORDS}"))
    }
}

fn parse(name: &str, parts: &[&str]) -> Result<Spec, String> {
    let most = match name {
        "blosc" => 3,
        "zstd" | "gzip" | "shuffle-gzip" | "bitshuffle-zstd" | "bounded" => 1,
        "drle" => 2,
        _ => 0,
    };
    if parts.len() > most {
        return Err("it has too many parts".to_owned());
    }
    let level = |default| parts.first().map_or(Ok(default), |text| number(text, "level"));
    let gzip = |before: &[(u32, Vec<u32>)]| -> Result<Spec, String> {
        let level: u32 = level(4)?.try_into().ok().filter(|level| *level <= 9).ok_or("gzip's level is 0 to 9")?;
        let filters = before.iter().cloned().chain([(GZIP, vec![level])]).collect();
        Ok(Spec { filters: Some(filters), loss: Loss::None })
    };
    Ok(match name {
        "keep" => Spec::KEEP,
        "none" => Spec::of(Compression::NONE),
        "lz4" => Spec::of(Compression::lz4()),
        "zstd" => Spec::of(Compression::zstd(level(3)?)),
        "gzip" => gzip(&[])?,
        "shuffle-gzip" => gzip(&[(SHUFFLE, Vec::new())])?,
        "bitshuffle-lz4" => Spec::of(Compression::bitshuffle_lz4()),
        "bitshuffle-zstd" => Spec::of(Compression::bitshuffle_zstd(level(3)?)),
        "blosc" => blosc(parts)?,
        "drle" => {
            let text = parts.first().copied().unwrap_or("1");
            let threshold = number(text.strip_prefix("threshold=").unwrap_or(text), "threshold")?;
            let threshold = u16::try_from(threshold).ok().filter(|n| *n > 0).ok_or("a threshold is 1 to 65535")?;
            let loss = if threshold > 1 { Loss::Threshold(threshold) } else { Loss::None };
            let compression = match parts.get(1).copied() {
                None => Compression::drle(threshold),
                Some("packed") => Compression::drle_packed(threshold),
                Some(_) => return Err("after DRLE's threshold there can be \"packed\"".to_owned()),
            };
            Spec { loss, ..Spec::of(compression) }
        }
        "bounded" => bounded(parts.first().copied().unwrap_or("exact"))?,
        _ => return Err("it is not known".to_owned()),
    })
}

fn blosc(parts: &[&str]) -> Result<Spec, String> {
    let names = ["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"];
    let name = parts.first().copied().unwrap_or("zstd");
    let at = names.iter().position(|known| *known == name);
    let compressor: Compressor = Compressor::ALL[at.ok_or(format!("Blosc's compressors are {}", names.join(", ")))?];
    let level = parts.get(1).map_or(Ok(5), |text| number(text, "level"))?;
    let level = u32::try_from(level).ok().filter(|level| *level <= 9).ok_or("Blosc's level is 0 to 9")?;
    let shuffle = match parts.get(2).copied().unwrap_or("byte") {
        "none" => Shuffle::None,
        "byte" => Shuffle::Byte,
        "bit" => Shuffle::Bit,
        _ => return Err("Blosc's shuffles are none, byte and bit".to_owned()),
    };
    Ok(Spec::of(Compression::blosc(level, shuffle, compressor)))
}

fn bounded(text: &str) -> Result<Spec, String> {
    let lossy = |loss, compression| Spec { loss, ..Spec::of(compression) };
    if text == "exact" {
        return Ok(Spec::of(Compression::bounded_exact()));
    }
    if let Some(error) = text.strip_prefix("absolute=") {
        let compression = match error.parse() {
            Ok(counts) => Compression::bounded_absolute(counts),
            Err(_) => Compression::bounded_absolute_float(real(error)?),
        };
        return Ok(lossy(Loss::Within(real(error)?), compression));
    }
    if let Some(share) = text.strip_prefix("relative=") {
        return Ok(lossy(Loss::Bounded, Compression::bounded_relative(real(share)?)));
    }
    let what = "bounded takes exact, absolute=COUNTS (of float32 any number), noise=BETA or relative=SHARE";
    let beta = text.strip_prefix("noise=").ok_or(what)?;
    fraction(beta).map(|beta| lossy(Loss::Bounded, Compression::bounded_noise(beta)))
}

/// A number that is not negative.
fn real(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=f64::MAX).contains(number));
    number.ok_or_else(|| format!("{text:?} is no number from 0 on"))
}

/// `1`, `1/2` or `0.5`.
fn fraction(text: &str) -> Result<(u16, u16), String> {
    let refused = || format!("{text:?} is no fraction such as 1, 1/2 or 0.5, of numbers up to 65535");
    let (above, below) = match (text.split_once('/'), text.split_once('.')) {
        (Some((above, below)), _) => (above.parse().ok(), below.parse().ok()),
        (None, Some((whole, part))) => (format!("{whole}{part}").parse().ok(), 10_u16.checked_pow(part.len() as u32)),
        (None, None) => (text.parse().ok(), Some(1)),
    };
    above.zip(below).filter(|(above, below)| *above > 0 && *below > 0).ok_or_else(refused)
}

fn number(text: &str, what: &str) -> Result<i32, String> {
    text.parse().map_err(|_| format!("{text:?} is no {what}"))
}

/// Whether a dataset's path is meant by `pattern`: `*` stands for anything, `?` for one character. A pattern without `/` is about
/// the last name alone.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    let text = if pattern.contains('/') { path } else { path.rsplit('/').next().unwrap_or(path) };
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // The last `*`, and where in the text what it stands for ends so far.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, end)) => {
                    (p, t) = (at + 1, end + 1);
                    star = Some((at, end + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(text: &str) -> Vec<(u32, Vec<u32>)> {
        text.parse::<Spec>().expect("a target").filters.expect("filters")
    }

    #[test]
    fn targets_are_written_as_users_say_them() {
        assert_eq!(filters("none"), []);
        assert_eq!(filters("bitshuffle-lz4"), [(32008, vec![0, 2])]);
        assert_eq!(filters("bitshuffle-zstd:-3"), [(32008, vec![0, 3, (-3_i32).cast_unsigned()])]);
        assert_eq!(filters("blosc:zstd:5:bit"), [(32001, vec![0, 0, 0, 0, 5, 2, 5])]);
        assert_eq!(filters("shuffle-gzip"), [(2, vec![]), (1, vec![4])]);
        assert_eq!(filters("drle:20"), filters("drle:threshold=20"));
        assert_eq!(filters("drle:20:packed"), [(36114, vec![20, 2])]);
        assert_eq!(filters("bounded:noise=1"), [(36115, vec![2, 1, 1])]);
        assert_eq!(filters("bounded:noise=0.5"), [(36115, vec![2, 5, 10])]);
        let loss = |text: &str| text.parse::<Spec>().map(|spec| spec.loss);
        assert_eq!(loss("drle:1"), Ok(Loss::None));
        assert_eq!(loss("drle:20"), Ok(Loss::Threshold(20)));
        assert_eq!(loss("bounded:absolute=3"), Ok(Loss::Within(3.0)));
        assert_eq!(filters("bounded:absolute=3"), [(36115, vec![1, 3])]);
        assert_eq!(filters("bounded:absolute=0.375"), [(36115, vec![3, 0, 0x3fd8_0000])]);
        assert_eq!(loss("bounded:absolute=1e-3"), Ok(Loss::Within(1e-3)));
        assert_eq!(filters("bounded:relative=0.5"), [(36115, vec![4, 0, 0x3fe0_0000])]);
        assert_eq!("keep".parse(), Ok(Spec::KEEP));
    }

    #[test]
    fn what_is_no_target_says_what_is() {
        for text in [
            "",
            "lzma",
            "gzip:10",
            "gzip:x",
            "drle:0",
            "drle:70000",
            "drle:20:small",
            "lz4:3",
            "blosc:zstd:5:bit:9",
            "blosc:x",
            "bounded:noise=0",
            "bounded:absolute=-1",
            "bounded:absolute=inf",
            "bounded:relative=x",
        ] {
            let error = text.parse::<Spec>().expect_err(text);
            assert!(error.contains("a target is one of"), "{error}");
        }
    }

    #[test]
    fn patterns_are_of_a_path_or_of_a_name() {
        for (pattern, path, expected) in [
            ("data", "/entry/data", true),
            ("data", "/entry/data2", false),
            ("data*", "/entry/data_000001", true),
            ("/entry/*", "/entry/a/b", true),
            ("/entry", "/entry/a", false),
            ("*/d?ta", "/x/y/data", true),
            ("*a*b", "/aXbXb", true),
            ("*a*b", "/aXbX", false),
            ("*", "/anything", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
