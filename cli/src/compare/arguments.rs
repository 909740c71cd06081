//! Codecs and noise as they are written on the command line.

use std::str::FromStr;

use darkchunk_metrics::NoiseModel;
use darkchunk_metrics::technique::Scan;
use darkchunk_stream::compare::Noise;
use darkchunk_stream::convert::spec::Spec;

/// The filter whose steps depend on the noise.
const BOUNDED: u32 = 36_115;

/// σ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NoiseChoice {
    None,
    Repeats,
    Model(NoiseModel),
}

impl FromStr for NoiseChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => return Ok(Self::None),
            "repeats" => return Ok(Self::Repeats),
            "counter" => return Ok(Self::Model(NoiseModel::COUNTER)),
            _ => {}
        }
        let numbers: Result<Vec<f64>, _> = text.split(',').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([gain, offset, variance]) => {
                NoiseModel::new(*gain, *offset, *variance).map(Self::Model).map_err(|error| error.to_string())
            }
            _ => Err("give counter, repeats, none, or GAIN,OFFSET,VARIANCE as in 2.05,98,9".into()),
        }
    }
}

impl NoiseChoice {
    pub(crate) fn noise(self) -> Noise {
        match self {
            Self::None => Noise::Unknown,
            Self::Repeats => Noise::Repeats,
            Self::Model(model) => Noise::Model(model),
        }
    }
}

/// What an experiment makes of its frames.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TechniqueChoice {
    /// Row and column of the centre, and the step of rings.
    Rings {
        centre: (f64, f64),
        step: f64,
    },
    Crystallography,
    /// The dataset with the labels.
    Xpcs(String),
    /// Columns from, to.
    Line(usize, usize),
    Tomography(Scan),
    /// Velocity map and coincidence imaging: hits, and what varies together round a centre, with the step of rings.
    Hits(Option<((f64, f64), f64)>),
}

impl FromStr for TechniqueChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').unwrap_or((text, ""));
        let numbers: Result<Vec<f64>, _> = rest.split(',').map(str::parse).collect();
        let columns: Vec<Option<usize>> = rest.split("..").map(|text| text.parse().ok()).collect();
        match (name, numbers.as_deref(), &columns[..]) {
            ("saxs" | "powder", Ok([row, column]), _) => Ok(Self::Rings { centre: (*row, *column), step: 1.0 }),
            ("saxs" | "powder", Ok([row, column, step]), _) => Ok(Self::Rings { centre: (*row, *column), step: *step }),
            ("mx", _, _) if rest.is_empty() => Ok(Self::Crystallography),
            ("vmi", _, _) if rest.is_empty() => Ok(Self::Hits(None)),
            ("vmi", Ok([row, column]), _) => Ok(Self::Hits(Some(((*row, *column), 1.0)))),
            ("vmi", Ok([row, column, step]), _) => Ok(Self::Hits(Some(((*row, *column), *step)))),
            ("xpcs", _, _) if !rest.is_empty() => Ok(Self::Xpcs(rest.to_owned())),
            ("tomography", _, _) => scan(rest).map(Self::Tomography),
            ("line", _, [Some(from), Some(to)]) => Ok(Self::Line(*from, *to)),
            _ => Err(
                "give saxs=ROW,COLUMN[,STEP], powder=ROW,COLUMN[,STEP], mx, xpcs=FILE:/LABELS, vmi[=ROW,COLUMN[,STEP]], line=FROM..TO, or tomography[=ROW+ROW[,AXIS[,DEGREES]]]"
                    .into(),
            ),
        }
    }
}

/// `ROW+ROW`, `,AXIS` and `,DEGREES`: each may be missing, the last ones first, and is what it usually is.
fn scan(text: &str) -> Result<Scan, String> {
    let what =
        || format!("{text:?} is no scan: give tomography=ROW+ROW,AXIS,DEGREES, as in tomography=100+200,511.5,360");
    let mut parts = text.split(',').map(str::trim);
    let mut scan = Scan::default();
    let rows = parts.next().filter(|rows| !rows.is_empty());
    scan.rows = rows
        .into_iter()
        .flat_map(|rows| rows.split('+'))
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| what())?;
    scan.axis = parts.next().filter(|axis| !axis.is_empty()).map(str::parse).transpose().map_err(|_| what())?;
    if let Some(degrees) = parts.next() {
        scan.degrees = degrees.parse().map_err(|_| what())?;
    }
    if parts.next().is_some() { Err(what()) } else { Ok(scan) }
}

/// A codec of ours, and what was said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codec {
    text: String,
    filter: u32,
    cd_values: Vec<u32>,
}

impl FromStr for Codec {
    type Err = String;

    /// As for `convert`, or a filter's number and its parameters: `36115:1,4`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        if let Ok(filter) = name.parse() {
            let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number from 0 to 4294967295"));
            let cd_values =
                rest.split(',').filter(|value| !value.is_empty()).map(number).collect::<Result<_, String>>()?;
            return Ok(Self { text: text.to_owned(), filter, cd_values });
        }
        let spec: Spec = text.parse()?;
        match spec.filters.as_deref() {
            Some([(filter, cd_values)]) => {
                Ok(Self { text: text.to_owned(), filter: *filter, cd_values: cd_values.clone() })
            }
            _ => Err(format!("{text:?} is not one codec that can be applied in memory")),
        }
    }
}

impl Codec {
    pub(crate) fn name(&self) -> &str {
        &self.text
    }

    /// The filter and its parameters. Steps of sigma are of that of the noise model.
    pub(crate) fn parameters(&self, noise: &NoiseChoice) -> Result<(u32, Vec<u32>), String> {
        let [2, above, below] = self.cd_values[..] else { return Ok((self.filter, self.cd_values.clone())) };
        let model = match noise {
            NoiseChoice::Model(model) if self.filter == BOUNDED && *model != NoiseModel::COUNTER => model,
            NoiseChoice::Repeats if self.filter == BOUNDED => {
                return Err(
                    "steps of sigma need to know sigma: --noise GAIN,OFFSET,VARIANCE in place of repeats".into()
                );
            }
            _ => return Ok((self.filter, self.cd_values.clone())),
        };
        // A whole offset; what it is more adds to the variance.
        let offset = model.offset.ceil();
        let variance = model.read_variance + model.gain * (offset - model.offset);
        let (gain, variance) = (fraction(model.gain)?, fraction(variance)?);
        let offset = (offset as i32).cast_unsigned();
        Ok((self.filter, vec![2, above, below, gain.0, gain.1, offset, variance.0, variance.1]))
    }
}

/// A number as a fraction of two that the bounded codec takes.
fn fraction(number: f64) -> Result<(u32, u32), String> {
    let fits = |below: &u32| number * f64::from(*below) < 65_535.5;
    let below =
        [10_000, 1000, 100, 10, 1].into_iter().find(fits).ok_or(format!("{number} is too large for the codec"))?;
    Ok(((number * f64::from(below)).round() as u32, below))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(codec: &str, noise: &str) -> Result<(u32, Vec<u32>), String> {
        codec.parse::<Codec>()?.parameters(&noise.parse()?)
    }

    #[test]
    fn codecs_are_those_of_convert_or_numbers_with_parameters() {
        assert_eq!(parameters("bounded:absolute=4", "none"), Ok((36_115, vec![1, 4])));
        assert_eq!(parameters("drle:20", "counter"), Ok((36_114, vec![20])));
        assert_eq!(parameters("32008:0,2", "counter"), Ok((32_008, vec![0, 2])));
        assert_eq!(parameters("bounded:noise=1/2", "counter"), Ok((36_115, vec![2, 1, 2])));
    }

    #[test]
    fn techniques_have_what_they_need_and_nothing_else() {
        let of = |text: &str| text.parse::<TechniqueChoice>();
        assert_eq!(of("saxs=10,20.5"), Ok(TechniqueChoice::Rings { centre: (10.0, 20.5), step: 1.0 }));
        assert_eq!(of("powder=1,2,0.5"), Ok(TechniqueChoice::Rings { centre: (1.0, 2.0), step: 0.5 }));
        assert_eq!(of("xpcs=a.h5:/q"), Ok(TechniqueChoice::Xpcs("a.h5:/q".into())));
        assert_eq!(of("line=10..20"), Ok(TechniqueChoice::Line(10, 20)));
        assert_eq!((of("mx"), of("vmi")), (Ok(TechniqueChoice::Crystallography), Ok(TechniqueChoice::Hits(None))));
        assert_eq!(of("vmi=9,8.5,2"), Ok(TechniqueChoice::Hits(Some(((9.0, 8.5), 2.0)))));
        let scan = Scan { rows: vec![10, 20], axis: Some(30.5), degrees: 360.0, n_projections: 0 };
        assert_eq!(of("tomography=10+20,30.5,360"), Ok(TechniqueChoice::Tomography(scan)));
        assert_eq!(of("tomography"), Ok(TechniqueChoice::Tomography(Scan::default())));
        let axis = Scan { axis: Some(7.0), ..Scan::default() };
        assert_eq!(of("tomography=,7"), Ok(TechniqueChoice::Tomography(axis)));
        for text in ["tomography=a", "tomography=1+", "tomography=1,b", "tomography=1,2,c", "tomography=1,2,3,4"] {
            assert!(of(text).is_err(), "{text}");
        }
        for text in ["saxs", "saxs=1", "saxs=a,b", "mx=1", "vmi=1", "xpcs", "line=1", "line=5,9", "tomo", ""] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn steps_of_sigma_are_those_of_the_noise_that_is_given() {
        let camera = parameters("bounded:noise=1", "2.05,97.5,9").unwrap();
        assert_eq!(camera, (36_115, vec![2, 1, 1, 20_500, 10_000, 98, 10_025, 1000]));
        assert!(parameters("bounded:noise=1", "repeats").is_err());
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (codec, noise) in [
            ("jpeg:1", "counter"),
            ("keep", "counter"),
            ("none", "counter"),
            ("shuffle-gzip", "counter"),
            ("36115:x", "counter"),
            ("bounded", "1,2"),
            ("bounded", "0,0,0"),
        ] {
            assert!(parameters(codec, noise).is_err(), "{codec} {noise}");
        }
    }
}
