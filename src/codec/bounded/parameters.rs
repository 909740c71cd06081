//! The filter's parameters: what callers give, what is stored.

use super::Bounded;
use super::coding::Reference;
use super::element::PixelType;
use crate::codec::ChunkLayout;
use crate::codec::parameters::Form;
use crate::kernels::quantise::{Bound, Noise, Options};
use crate::{Error, Result};

/// The version of the parameters in its slot.
const VERSION: u32 = 1;

/// Slots. Before `VERSION_AT` is what a caller gives, after it what is filled in.
const BOUND: usize = 0;
pub(super) const OPTIONS: usize = 8;
const REFERENCE: usize = 9;
pub(super) const SATURATION: usize = 10;
const VERSION_AT: usize = 11;
const ELEMENT: usize = 12;
const HEIGHT: usize = 13;
const WIDTH: usize = 14;
const CHUNK: usize = 15;
const FILL: usize = 16;
const N_NAMED: usize = 17;
const NAMED: usize = 18;

/// Sentinels that can be named.
pub const MAX_NAMED_SENTINELS: usize = 7;

pub(super) const UNBIASED: u32 = 1;
pub(super) const KEEP_ZERO: u32 = 2;
pub(super) const KEEP_NEGATIVE: u32 = 4;
pub(super) const NEGATIVE_IS_SIGNAL: u32 = 8;
pub(super) const VERIFY: u32 = 16;

/// Bounds, in their slot.
const ABSOLUTE: u32 = 1;
const NOISE: u32 = 2;
const ABSOLUTE_FLOAT: u32 = 3;
const RELATIVE_FLOAT: u32 = 4;

/// The parameters of an absolute bound that is a real number.
pub(crate) fn absolute_float(error: f64) -> [u32; 3] {
    with_number(ABSOLUTE_FLOAT, error)
}

pub(crate) fn relative(share: f64) -> [u32; 3] {
    with_number(RELATIVE_FLOAT, share)
}

fn with_number(bound: u32, number: f64) -> [u32; 3] {
    let bits = number.to_bits();
    [bound, bits as u32, (bits >> 32) as u32]
}

const FORM: Form<11> = Form {
    defaults: [0; 11],
    no_more: "the bounded codec takes [bound, …, options, reference, saturation]; sentinels are named with version 1 in cd_values[11]",
};

/// What a caller decides.
pub(super) struct Asked {
    pub(super) values: [u32; 11],
    pub(super) bound: Bound,
    pub(super) reference: Option<Reference>,
}

pub(super) fn localise(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
    let end = if cd_values.get(VERSION_AT).is_some_and(|version| *version != 0) {
        let n_named = cd_values.get(N_NAMED).map_or(0, |n| *n as usize).min(MAX_NAMED_SENTINELS + 1);
        let end = NAMED + n_named;
        if let Some(past) = cd_values.iter().skip(end).position(|value| *value != 0) {
            return Err(refusal(cd_values, end + past, FORM.no_more));
        }
        end
    } else {
        FORM.read(cd_values)?;
        VERSION_AT
    };
    let cd_values = &cd_values[..end.min(cd_values.len())];
    let asked = asked(cd_values)?;
    let named = named(cd_values)?;
    if layout.resized_before {
        return Err(Error::Argument(
            "the bounded codec takes pixels: it must be the first filter of the dataset".into(),
        ));
    }
    let element = PixelType::try_from(layout.element)?;
    let asked_values = of_type(asked.values, element)?;
    let chunk_bytes = layout.chunk_bytes()?;
    let size = |dim: Option<&u64>| u32::try_from(dim.copied().unwrap_or(1)).unwrap_or(u32::MAX).max(1);
    let (width, above) = layout.dims.split_last().map_or((1, &[][..]), |(width, above)| (size(Some(width)), above));
    let height = size(above.last());
    check_sentinels(cd_values, &named, element)?;
    let named: Vec<u32> = named.into_iter().map(|value| element.bits(value)).collect();
    let fill = layout.fill.map(|fill| element.bits(fill)).filter(|fill| *fill != 0 && !named.contains(fill));
    let fill = fill.or_else(|| cd_values.get(FILL).copied().filter(|_| layout.fill.is_none())).unwrap_or(0);
    let mut values = asked_values.to_vec();
    values.extend([VERSION, element.code().into(), height, width, chunk_bytes, fill, named.len() as u32]);
    values.extend(named);
    Ok(values)
}

pub(super) fn read(cd_values: &[u32]) -> Result<Bounded> {
    let asked = asked(cd_values)?;
    let slot = |at: usize| cd_values.get(at).copied().unwrap_or(0);
    // What is given, and not stored yet, has no height: it says the kind of the sentinels alone.
    let element = match slot(ELEMENT) {
        code if code == 0 || slot(HEIGHT) == 0 => None,
        code => Some(PixelType::from_code(code).ok_or_else(|| refusal(cd_values, ELEMENT, "no such element type"))?),
    };
    if let Some(element) = element {
        let fitting = of_type(asked.values, element)?;
        if fitting != asked.values {
            return Err(refusal(cd_values, BOUND, "the bound is not of the element type"));
        }
    }
    let frame = (slot(HEIGHT) > 0 && slot(WIDTH) > 0).then(|| (slot(HEIGHT), slot(WIDTH)));
    let options = slot(OPTIONS);
    Ok(Bounded {
        asked: asked.values,
        bound: asked.bound,
        options: Options { unbiased: options & UNBIASED != 0, keep_zero: options & KEEP_ZERO != 0 },
        reference: asked.reference,
        element,
        frame,
        chunk_bytes: Some(slot(CHUNK)).filter(|n_bytes| *n_bytes > 0),
        fill: Some(slot(FILL)).filter(|fill| *fill != 0),
        named: named(cd_values)?,
    })
}

fn refusal(cd_values: &[u32], index: usize, what: &'static str) -> Error {
    Error::Parameter { index, value: cd_values.get(index).copied().unwrap_or(0), what }
}

fn asked(cd_values: &[u32]) -> Result<Asked> {
    let refused = |index, what| Err(refusal(cd_values, index, what));
    let values = FORM.read_stored(cd_values);
    if cd_values.get(VERSION_AT).is_some_and(|version| *version > VERSION) {
        return refused(VERSION_AT, "these are parameters of another version: use a newer darkchunk");
    }
    let bound = bound(&values).map_err(|(index, what)| refusal(cd_values, index, what))?;
    if values[OPTIONS] >= 2 * VERIFY {
        return refused(OPTIONS, "no such options: give a sum of 1, 2, 4, 8 and 16");
    }
    let reference = match values[REFERENCE] {
        0 => None,
        1 => Some(Reference::None),
        2 => Some(Reference::Mean),
        3 => Some(Reference::Previous),
        _ => {
            return refused(
                REFERENCE,
                "the reference must be 0 (the encoder's choice), 1 (none), 2 (mean) or 3 (previous)",
            );
        }
    };
    Ok(Asked { values, bound, reference })
}

/// The parameters as they are for an element type: an absolute bound fits all.
fn of_type(values: [u32; 11], element: PixelType) -> Result<[u32; 11]> {
    let refused = |index, what| Err(refusal(&values, index, what));
    let mut fitting = values;
    match (values[BOUND], element.is_float) {
        (ABSOLUTE, true) => fitting[..3].copy_from_slice(&absolute_float(values[1].into())),
        (NOISE, true) => {
            return refused(
                BOUND,
                "a bound by the noise is for integers: give float32 bound 3 (absolute) or 4 (relative)",
            );
        }
        (ABSOLUTE_FLOAT, false) => fitting[..3].copy_from_slice(&[ABSOLUTE, float(&values) as u32, 0]),
        (RELATIVE_FLOAT, false) => {
            return refused(BOUND, "a relative bound is for float32: give integers bound 1 (counts) or 2 (noise)");
        }
        _ => {}
    }
    if element.is_float && values[OPTIONS] & !VERIFY != 0 {
        return refused(OPTIONS, "float32 has one option, 16: each chunk is decoded again");
    }
    if element.is_float && values[SATURATION] != 0 {
        return refused(SATURATION, "float32 has no saturation: name sentinels instead");
    }
    Ok(fitting)
}

/// The number of a bound that is a real one.
fn float(values: &[u32; 11]) -> f64 {
    f64::from_bits(u64::from(values[2]) << 32 | u64::from(values[1]))
}

fn float_bound(values: &[u32; 11]) -> std::result::Result<Bound, (usize, &'static str)> {
    let number = float(values);
    if let Some(at) = values[3..OPTIONS].iter().position(|value| *value != 0) {
        return Err((3 + at, "bounds 3 and 4 take one number, a float64 in two halves"));
    }
    if !(0.0..=f64::MAX).contains(&number) {
        return Err((2, "bounds 3 and 4 take a float64, its lower half first, that is finite and not below 0"));
    }
    Ok(if values[BOUND] == ABSOLUTE_FLOAT { Bound::AbsoluteFloat(number) } else { Bound::RelativeFloat(number) })
}

fn bound(values: &[u32; 11]) -> std::result::Result<Bound, (usize, &'static str)> {
    let or_one = |at: usize| if values[at] == 0 { 1 } else { values[at] };
    match values[BOUND] {
        0 => match values[1..OPTIONS].iter().position(|value| *value != 0) {
            None => Ok(Bound::Exact),
            Some(at) => Err((1 + at, "bound 0 is exact and takes no number")),
        },
        ABSOLUTE => match values[2..OPTIONS].iter().position(|value| *value != 0) {
            None => Ok(Bound::Absolute(values[1])),
            Some(at) => Err((2 + at, "bound 1 takes one number, the counts that a pixel may be off")),
        },
        NOISE => {
            let noise = Noise {
                beta: (values[1], or_one(2)),
                gain: (or_one(3), or_one(4)),
                offset: values[5].cast_signed(),
                read_variance: (values[6], or_one(7)),
            };
            let short = [noise.beta.0, noise.beta.1, noise.gain.0, noise.gain.1];
            let wrong = short.iter().position(|n| !(1..=65_535).contains(n)).map(|at| at + 1);
            match wrong.or((noise.read_variance.1 > 65_535).then_some(7)) {
                None => Ok(Bound::Noise(noise)),
                Some(at) => Err((
                    at,
                    "beta and gain are fractions of numbers from 1 to 65535, as is the divisor of the read variance",
                )),
            }
        }
        ABSOLUTE_FLOAT | RELATIVE_FLOAT => float_bound(values),
        _ => Err((BOUND, "the bound must be 0 (exact), 1 (counts), 2 (noise), 3 (absolute) or 4 (relative)")),
    }
}

/// Refuses sentinels that are no values of the element type, or of another kind where their kind is said.
fn check_sentinels(cd_values: &[u32], named: &[u32], element: PixelType) -> Result<()> {
    let said = cd_values.get(ELEMENT).and_then(|code| PixelType::from_code(*code));
    if !named.is_empty() && said.is_some_and(|said| said.is_float != element.is_float) {
        let what = if element.is_float {
            "the sentinels are integers, and the elements float32: give them as float32"
        } else {
            "the sentinels are float32, and the elements integers: give them as integers"
        };
        return Err(refusal(cd_values, ELEMENT, what));
    }
    match named.iter().position(|value| !element.has(*value)) {
        None => Ok(()),
        Some(at) => Err(refusal(cd_values, NAMED + at, "this sentinel is no value of the element type")),
    }
}

/// The sentinels that are named.
fn named(cd_values: &[u32]) -> Result<Vec<u32>> {
    let n_named = cd_values.get(N_NAMED).map_or(0, |n| *n as usize);
    if n_named > MAX_NAMED_SENTINELS {
        return Err(refusal(cd_values, N_NAMED, "at most 7 sentinels can be named"));
    }
    if n_named == 0 {
        return Ok(Vec::new());
    }
    let named = cd_values.get(NAMED..NAMED + n_named);
    named.map(<[u32]>::to_vec).ok_or_else(|| refusal(cd_values, N_NAMED, "there are fewer sentinels after it"))
}
