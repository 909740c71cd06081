//! Frames that are left out of a copy by a rule. They keep their numbers: their chunks are missing, and `frame_status` marks them as vetoed, as
//! a recorder's rule does.

use std::str::FromStr;

use darkchunk_hdf5::chunk_map::{Storage, StoredDataset};
use darkchunk_hdf5::number::{self, NumberClass, NumberType, Scalar};
use darkchunk_hdf5::{File, Library, OpenDataset, mark_vetoed};

use super::blocks::in_threads;
use super::{Phase, Resources, Step, Watch, go_on};
use crate::{Error, Options, Reader, Result};

/// All that can be written, for messages.
pub const WORDS: &str =
    "sum, maximum, bright(COUNTS) or column:/PATH, then >, >=, <, <=, == or !=, and a number, such as sum>1e6";

/// What is asked of a frame.
#[derive(Debug, Clone, PartialEq)]
enum What {
    Sum,
    Maximum,
    /// How many pixels have at least so much.
    Bright(f64),
    /// Its number in another dataset.
    Column(String),
}

/// A rule for the frames that are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    what: What,
    compare: Compare,
    value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    AtLeast,
    AtMost,
    Equal,
    Unequal,
    Greater,
    Less,
}

/// The longer ones first.
const COMPARISONS: [(&str, Compare); 6] = [
    (">=", Compare::AtLeast),
    ("<=", Compare::AtMost),
    ("==", Compare::Equal),
    ("!=", Compare::Unequal),
    (">", Compare::Greater),
    ("<", Compare::Less),
];

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let refused = || format!("{text:?} is no rule: one is {WORDS}");
        let at = text.rfind(['>', '<', '=']).ok_or_else(refused)?;
        let head = &text[..=at];
        let found = COMPARISONS.iter().find_map(|(words, compare)| Some((head.strip_suffix(words)?, *compare)));
        let (what, compare) = found.ok_or_else(refused)?;
        let value = finite(&text[at + 1..]).ok_or_else(refused)?;
        let what = match what.trim() {
            "sum" => What::Sum,
            "maximum" => What::Maximum,
            what => match (what.strip_prefix("column:"), what.strip_prefix("bright(")) {
                (Some(path), _) if path.starts_with('/') && path.len() > 1 => What::Column(path.to_owned()),
                (_, Some(counts)) => What::Bright(counts.strip_suffix(')').and_then(finite).ok_or_else(refused)?),
                _ => return Err(refused()),
            },
        };
        Ok(Self { what, compare, value })
    }
}

fn finite(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

impl Rule {
    fn holds(&self, found: f64) -> bool {
        match self.compare {
            Compare::AtLeast => found >= self.value,
            Compare::AtMost => found <= self.value,
            Compare::Equal => found == self.value,
            Compare::Unequal => found != self.value,
            Compare::Greater => found > self.value,
            Compare::Less => found < self.value,
        }
    }
}

/// Which frames of a dataset are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Which of the steps it is.
    pub(super) step: usize,
    left_out: Vec<bool>,
    /// Which have a chunk in the old file.
    stored: Vec<bool>,
}

impl Kept {
    /// Whether a frame has its chunk in the new file, if it had one.
    pub(super) fn has(&self, frame: u64) -> bool {
        self.left_out.get(frame as usize) != Some(&true)
    }

    /// Frames that are left out, and of how many.
    pub(super) fn count(&self) -> (u64, u64) {
        (self.left_out.iter().filter(|left_out| **left_out).count() as u64, self.left_out.len() as u64)
    }

    /// Marks them in the new file.
    pub(super) fn mark(&self, library: &Library, place: &std::path::Path, path: &str) -> Result<()> {
        let file = File::open(library, place, true)?;
        mark_vetoed(library, file.id(), path, &self.left_out, &self.stored)?;
        file.close()?;
        Ok(())
    }
}

/// Looks at all frames of the dataset that has rules, if one has.
pub(super) fn look(
    library: &Library,
    file: &File,
    steps: &[Step],
    resources: Resources,
    watch: &dyn Watch,
) -> std::result::Result<Option<Kept>, String> {
    let Some((step, Step { path, keep, .. })) = steps.iter().enumerate().find(|(_, step)| !step.keep.is_empty()) else {
        return Ok(None);
    };
    watch.begin(Phase::Look, path);
    let failed = |error: Error| format!("{path}: {error}");
    let frames = Frames::open(library, file, path, keep).map_err(failed)?;
    let left_out = frames.all(resources, watch).map_err(failed)?;
    let is_kept = |(left_out, stored): (&bool, &bool)| *stored && !left_out;
    if left_out.contains(&true) && !left_out.iter().zip(&frames.stored).any(is_kept) {
        let n_frames = left_out.len();
        return Err(format!("{path}: --keep holds for none of its {n_frames} frames, so there is no new file"));
    }
    Ok(Some(Kept { step, left_out, stored: frames.stored }))
}

struct Frames<'a> {
    reader: Reader,
    number: NumberType,
    rules: &'a [Rule],
    /// Numbers of each rule that is about a column.
    columns: Vec<Vec<f64>>,
    /// Which frames have a chunk.
    stored: Vec<bool>,
}

impl<'a> Frames<'a> {
    fn open(library: &Library, file: &File, path: &str, rules: &'a [Rule]) -> Result<Self> {
        let reader = Reader::open_path(library, file.id(), path, Options { n_threads: 1, ..Options::default() })?;
        let number = number::of_dataset(library, file.id(), path)?;
        let number = number.ok_or_else(|| Error::Argument("its elements are no numbers of 1 to 8 bytes".to_owned()))?;
        let column = |rule: &Rule| match &rule.what {
            What::Column(column) => numbers(library, file, column, reader.dims()[0])
                .map_err(|error| Error::Argument(format!("the column {column} cannot be used: {error}"))),
            _ => Ok(Vec::new()),
        };
        let columns = rules.iter().map(column).collect::<Result<_>>()?;
        let stored = stored(library, file, path, reader.dims())?;
        Ok(Self { number, rules, columns, stored, reader })
    }

    fn all(&self, resources: Resources, watch: &dyn Watch) -> Result<Vec<bool>> {
        let (dims, element) = (self.reader.dims(), self.reader.element().n_bytes);
        let frame_bytes = dims[1..].iter().try_fold(element, |n, dim| n.checked_mul(usize::try_from(*dim).ok()?));
        let frame_bytes = frame_bytes.ok_or_else(|| Error::Argument("its frames are too large".to_owned()))?;
        let n_frames = super::blocks::count(&dims[..1], &[1])?;
        let mut left_out = vec![false; n_frames as usize];
        in_threads(
            n_frames,
            resources.threads_for(frame_bytes),
            || Ok(darkchunk::pipeline::buffer(frame_bytes)?),
            |pixels, frame| self.frame(pixels, frame),
            |frame, is_left_out| {
                left_out[frame as usize] = is_left_out;
                go_on(watch, 0)
            },
        )?;
        Ok(left_out)
    }

    /// Whether a frame is stored and no rule keeps it.
    fn frame(&self, pixels: &mut [u8], frame: u64) -> Result<bool> {
        let dims = self.reader.dims();
        let (mut start, mut count) = (vec![0; dims.len()], dims.to_vec());
        (start[0], count[0]) = (frame, 1);
        if !self.stored[frame as usize] {
            return Ok(false);
        }
        if self.rules.iter().any(|rule| !matches!(rule.what, What::Column(_))) {
            self.reader.read(&start, &count, None, pixels)?;
        }
        let holds = |(rule, column): (&Rule, &Vec<f64>)| {
            rule.holds(match &rule.what {
                What::Column(_) => column[frame as usize],
                what => self.measure(what, pixels),
            })
        };
        Ok(!self.rules.iter().zip(&self.columns).all(holds))
    }

    fn measure(&self, what: &What, pixels: &[u8]) -> f64 {
        let values = pixels.chunks_exact(self.number.n_bytes).filter_map(|pixel| self.value(pixel));
        match what {
            What::Sum => values.sum(),
            What::Maximum => values.fold(f64::NEG_INFINITY, f64::max),
            What::Bright(least) => values.filter(|value| value >= least).count() as f64,
            What::Column(_) => f64::NAN,
        }
    }

    /// A pixel; `None` where it is no measurement: all bits set of 16 and 32 bits without sign, below 0 of int32.
    fn value(&self, pixel: &[u8]) -> Option<f64> {
        let NumberType { class, n_bytes, .. } = self.number;
        let is_none = match class {
            NumberClass::Unsigned => matches!(n_bytes, 2 | 4) && pixel.iter().all(|byte| *byte == 0xFF),
            _ => false,
        };
        let value = scalar(self.number.value(pixel));
        let is_flag = class == NumberClass::Signed && n_bytes == 4 && value < 0.0;
        (!is_none && !is_flag).then_some(value)
    }
}

fn scalar(scalar: Scalar) -> f64 {
    match scalar {
        Scalar::Integer(number) => number as f64,
        Scalar::Real(number) => number,
    }
}

/// Which frames have a chunk; all, where that is not known.
fn stored(library: &Library, file: &File, path: &str, dims: &[u64]) -> Result<Vec<bool>> {
    let dataset = OpenDataset::open(library, file.id(), path)?;
    let dataset = StoredDataset::open(library, dataset.id())?;
    let n_frames = super::blocks::count(&dims[..1], &[1])? as usize;
    let Storage::Chunked { chunk, .. } = dataset.storage() else { return Ok(vec![true; n_frames]) };
    let mut stored = vec![false; n_frames];
    for (place, _) in dataset.map()?.iter() {
        let first = place[0].saturating_mul(chunk[0]);
        let end = first.saturating_add(chunk[0]).min(n_frames as u64);
        stored[first.min(end) as usize..end as usize].fill(true);
    }
    Ok(stored)
}

/// The numbers of a column, one a frame.
fn numbers(library: &Library, file: &File, path: &str, n_frames: u64) -> Result<Vec<f64>> {
    let refused = |why: String| Error::Argument(format!("it {why}"));
    let reader = Reader::open_path(library, file.id(), path, Options { n_threads: 1, ..Options::default() })?;
    let number = number::of_dataset(library, file.id(), path)?;
    let number = number.ok_or_else(|| refused("has no numbers of 1 to 8 bytes".to_owned()))?;
    let [n_rows] = *reader.dims() else {
        return Err(refused(format!("has {} axes: a column has one", reader.dims().len())));
    };
    if n_rows < n_frames {
        return Err(refused(format!("has {n_rows} numbers for {n_frames} frames")));
    }
    let n_bytes = (n_frames as usize).saturating_mul(number.n_bytes);
    let mut bytes = darkchunk::pipeline::buffer(n_bytes)?;
    reader.read(&[0], &[n_frames], None, &mut bytes)?;
    Ok(bytes.chunks_exact(number.n_bytes).map(|bytes| scalar(number.value(bytes))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_as_they_are_said() {
        let rule = |text: &str| text.parse::<Rule>();
        let made = |what, compare, value| Ok(Rule { what, compare, value });
        assert_eq!(rule("sum>1e6"), made(What::Sum, Compare::Greater, 1e6));
        assert_eq!(rule("maximum <= 20"), made(What::Maximum, Compare::AtMost, 20.0));
        assert_eq!(rule("bright(20)>=50"), made(What::Bright(20.0), Compare::AtLeast, 50.0));
        assert_eq!(rule("column:/a/b==1"), made(What::Column("/a/b".into()), Compare::Equal, 1.0));
        assert_eq!(rule("column:/a>b!=-1.5"), made(What::Column("/a>b".into()), Compare::Unequal, -1.5));
        for text in
            ["", "sum", "sum>", "sum=1", "mean>1", "bright>1", "bright(x)>1", "column:a==1", "column:/==1", "sum>nan"]
        {
            assert!(rule(text).is_err_and(|error| error.contains("one is sum")), "{text}");
        }
    }
}
