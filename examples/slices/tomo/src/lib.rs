//! `tomo`: slices of a tomographic scan, for `darkchunk slices`.
//!
//! ```text
//! darkchunk slices run scan.nxs -l ./libh5io_tomo.so -o slices.h5 -- data=/entry/data/data centre=1290.5
//! ```
//!
//! Each sinogram is divided by the mean flat field, both less the mean dark field; −log of it is attenuation, which is filtered and projected
//! back. Parallel beam. Arguments:
//!
//! | argument | meaning | if not said |
//! |---|---|---|
//! | `data` | projections: angle, row, column | `/entry1/tomo_entry/data/data` |
//! | `angles` | in degrees, one for each | equal steps over 180 degrees |
//! | `image_key` | NXtomo's: 0 a projection, 1 a flat field, 2 a dark one, others are left out | all are projections |
//! | `dark`, `flat` | row, column; or several of these | what `image_key` says; else 0 and 1 |
//! | `centre` | the column of the axis of rotation, 0 the middle of the first pixel | the middle |
//! | `log` | 0: the data are attenuation already | 1 |
//! | `output` | where slices go: row, y, x, in attenuation a pixel | `/entry/data/data` |
//!
//! A slice is as wide as a row; the axis of rotation is its pixel width / 2 of both axes.

#![deny(unsafe_code)]

mod h5io;
mod reconstruct;

use std::ffi::CStr;

use h5io::{Dataspace, Library};
use reconstruct::{Filter, Geometry};

/// What an input is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Data,
    Angles,
    Key,
    Dark,
    Flat,
}

pub(crate) struct Tomo {
    inputs: Vec<(Role, String)>,
    output: String,
    centre: Option<f64>,
    is_counts: bool,
    filter: Option<Filter>,
}

impl Library for Tomo {
    const NAME: &CStr = c"tomo";
    const VERSION: &CStr = c"1.0";

    fn new(arguments: &[String]) -> Result<Self, String> {
        let mut found = Self {
            inputs: vec![(Role::Data, "/entry1/tomo_entry/data/data".to_owned())],
            output: "/entry/data/data".to_owned(),
            centre: None,
            is_counts: true,
            filter: None,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            let bad = || format!("{argument:?} means nothing");
            match name {
                "data" => found.inputs[0].1 = value.to_owned(),
                "angles" => found.inputs.push((Role::Angles, value.to_owned())),
                "image_key" => found.inputs.push((Role::Key, value.to_owned())),
                "dark" => found.inputs.push((Role::Dark, value.to_owned())),
                "flat" => found.inputs.push((Role::Flat, value.to_owned())),
                "centre" => found.centre = Some(value.parse().map_err(|_| bad())?),
                "log" => found.is_counts = value.parse::<u8>().map_err(|_| bad())? != 0,
                "output" => found.output = value.to_owned(),
                _ => return Err(bad()),
            }
        }
        Ok(found)
    }

    fn inputs(&self) -> Vec<String> {
        self.inputs.iter().map(|(_, path)| path.clone()).collect()
    }

    fn map(&mut self, index: usize, shape: &[i64]) -> Result<Vec<i32>, String> {
        let (role, path) = &self.inputs[index];
        match (role, shape) {
            (Role::Data, [_, _, width]) => {
                self.filter = Some(Filter::new(*width as usize));
                Ok(vec![0, 1, 0])
            }
            (Role::Dark | Role::Flat, [_, _]) => Ok(vec![1, 0]),
            (Role::Dark | Role::Flat, [_, _, _]) => Ok(vec![0, 1, 0]),
            (Role::Angles | Role::Key, [_]) => Ok(vec![0]),
            _ => Err(format!("{path} has {} axes, which is not what it is for", shape.len())),
        }
    }

    fn output(&self) -> (String, Vec<i64>) {
        let width = self.filter.as_ref().map_or(0, Filter::width) as i64;
        (self.output.clone(), vec![-1, width, width])
    }

    fn process(&self, inputs: &[Dataspace], output: &mut [f32]) -> Result<(), String> {
        let Some(filter) = &self.filter else { return Ok(()) };
        let of = |role| {
            let found = self.inputs.iter().position(|(is, _)| *is == role);
            found.map(|at| inputs[at].floats()).transpose()
        };
        let data = of(Role::Data)?.unwrap_or_default();
        let width = filter.width();
        let rows: Vec<&[f32]> = data.chunks_exact(width.max(1)).collect();
        let keys = of(Role::Key)?.unwrap_or_else(|| vec![0.0; rows.len()]);
        let angles = of(Role::Angles)?.unwrap_or_else(|| {
            let n = keys.iter().filter(|key| **key == 0.0).count().max(1);
            let mut at = 0;
            let step = |key: &f32| {
                let angle = 180.0 * at as f32 / n as f32;
                at += usize::from(*key == 0.0);
                angle
            };
            keys.iter().map(step).collect()
        });
        if keys.len() != rows.len() || angles.len() != rows.len() {
            return Err(format!("{} images, {} keys, {} angles", rows.len(), keys.len(), angles.len()));
        }
        let with = |key: f32| rows.iter().zip(&keys).filter(move |(_, is)| **is == key).map(|(row, _)| *row);
        let field = |role, key, usual| -> Result<Vec<f32>, String> {
            let given = of(role)?;
            let mean =
                given.map_or_else(|| mean(with(key), width), |given| mean(given.chunks_exact(width.max(1)), width));
            let mean = mean.unwrap_or_else(|| vec![usual; width]);
            if mean.len() == width { Ok(mean) } else { Err("a field has another width than the projections".into()) }
        };
        let (flat, dark) = (field(Role::Flat, 1.0, 1.0)?, field(Role::Dark, 2.0, 0.0)?);
        let attenuation = |row: &[f32]| -> Vec<f32> {
            let counts = row.iter().zip(&flat).zip(&dark);
            counts
                .map(|((count, flat), dark)| if self.is_counts { log(*count, *flat, *dark) } else { *count })
                .collect()
        };
        let filtered: Vec<Vec<f32>> = with(0.0).map(|row| filter.apply(&attenuation(row))).collect();
        let used = angles.iter().zip(&keys).filter(|(_, key)| **key == 0.0).map(|(angle, _)| *angle).collect();
        let centre = self.centre.unwrap_or((width as f64 - 1.0) / 2.0) as f32;
        Geometry { width, centre, degrees: used }.back_project(&filtered, output);
        Ok(())
    }
}

/// The mean of rows; nothing without any.
fn mean<'a>(rows: impl Iterator<Item = &'a [f32]>, width: usize) -> Option<Vec<f32>> {
    let (mut sums, mut n) = (vec![0.0_f64; width], 0_u32);
    for row in rows {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        n += 1;
    }
    (n > 0).then(|| sums.iter().map(|sum| (sum / f64::from(n)) as f32).collect())
}

/// Attenuation. Where no light came, or the flat field is not above the dark one, there is that of 1 part in 10⁶, and none.
fn log(count: f32, flat: f32, dark: f32) -> f32 {
    const LEAST: f32 = 1e-6;
    let all = flat - dark;
    if all > 0.0 { -((count - dark) / all).max(LEAST).ln() } else { 0.0 }
}
