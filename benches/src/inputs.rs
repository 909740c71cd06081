//! The frames, by regime: simulated ones from `darkchunk-sim`, and real ones that `cargo xtask bench` has unpacked.
//!
//! Camera regimes come three times: as the camera gives them (dark image and noise on), with the dark image
//! subtracted, and with the noise set to 0, which is what a codec without a threshold is fairly given.

use std::path::Path;

use darkchunk::codec::ChunkLayout;
use darkchunk::element::{Element, ElementType, as_bytes};
use darkchunk_sim::{Camera, Shape, regimes};
use serde_json::Value;

use crate::Failure;
use crate::pool::{Pages, Pool};

/// Simulated frames are this large.
const SHAPE: Shape = (1024, 1024);
/// Frames of a pool before they repeat: enough that no branch predictor learns them.
const CAMERA_FRAMES: usize = 64;
const OTHER_FRAMES: usize = 16;

/// What a camera delivers before anything is done to it.
#[derive(Debug)]
pub struct Raw {
    /// As delivered.
    pub frames: Pool,
    /// Without the dark image, noise still on.
    pub subtracted: Pool,
    /// The dark image.
    pub dark: Vec<i16>,
}

/// One input of the races.
#[derive(Debug)]
pub struct Input {
    /// The regime, as in the tables.
    pub name: String,
    /// The element type of the frames.
    pub element: ElementType,
    /// Rows and columns of a frame.
    pub shape: Shape,
    /// The frames that codecs encode.
    pub frames: Pool,
    /// After how many slots the frames repeat.
    pub n_distinct: usize,
    /// The threshold for DRLE, where the frames fit it: 16 bits, nothing negative, nothing above 32767.
    pub threshold: Option<u16>,
    /// The camera's own frames, for camera regimes.
    pub raw: Option<Raw>,
}

impl Input {
    /// One frame as a chunk of a dataset of frames.
    #[must_use]
    pub fn layout(&self) -> ChunkLayout {
        let dims = vec![1, self.shape.0 as u64, self.shape.1 as u64];
        ChunkLayout::new(self.element, dims)
    }

    /// Repeats `distinct` frames of `element`s over a pool.
    fn repeated(name: &str, pages: Pages, element: ElementType, shape: Shape, distinct: &[&[u8]]) -> Self {
        let mut frames = Pool::new(shape.0 * shape.1 * element.n_bytes, pages);
        for slot in 0..frames.n_slots() {
            frames.frame_mut(slot).copy_from_slice(distinct[slot % distinct.len()]);
        }
        let n_distinct = distinct.len().min(frames.n_slots());
        let fits = element.n_bytes == 2 && (0..n_distinct).all(|slot| frames.pixels(slot).iter().all(|p| *p >= 0));
        let threshold = fits.then_some(1);
        Self { name: name.into(), element, shape, frames, n_distinct, threshold, raw: None }
    }

    fn simulated(name: &str, pages: Pages) -> Self {
        let distinct: Vec<Regime> = (0..OTHER_FRAMES as u64).map(|seed| regime(name, seed)).collect();
        let frames: Vec<&[u8]> = distinct.iter().map(|regime| &regime.frame[..]).collect();
        Self::repeated(name, pages, distinct[0].element, SHAPE, &frames)
    }

    fn camera(name: &str, pages: Pages, bright: f64) -> Self {
        let mut camera = Camera::new(SHAPE, bright, 1);
        let pool = || Pool::new(2 * SHAPE.0 * SHAPE.1, pages);
        let dark = camera.dark().to_vec();
        let threshold = camera.threshold();
        let (mut raw, mut subtracted, mut clean) = (pool(), pool(), pool());
        for slot in 0..raw.n_slots() {
            if slot < CAMERA_FRAMES {
                camera.next_frame(raw.pixels_mut(slot));
            } else {
                let earlier = raw.frame(slot - CAMERA_FRAMES).to_vec();
                raw.frame_mut(slot).copy_from_slice(&earlier);
            }
            for ((to, from), dark) in subtracted.pixels_mut(slot).iter_mut().zip(raw.pixels(slot)).zip(&dark) {
                *to = from - dark;
            }
            for (to, from) in clean.pixels_mut(slot).iter_mut().zip(subtracted.pixels(slot)) {
                *to = if *from < threshold { 0 } else { *from };
            }
        }
        Self {
            name: name.into(),
            element: ElementType::I16,
            shape: SHAPE,
            frames: clean,
            n_distinct: CAMERA_FRAMES,
            threshold: Some(threshold.unsigned_abs()),
            raw: Some(Raw { frames: raw, subtracted, dark }),
        }
    }
}

/// The simulated regimes, easy ones first.
pub const REGIMES: [&str; 12] = [
    "all dark",
    "0.1 % bright",
    "0.56 % bright",
    "5.5 % bright",
    "hot rows",
    "Poisson 0.02",
    "Poisson 1",
    "Poisson 100",
    "12-bit noise",
    "MX uint16",
    "MX uint32",
    "projection",
];

/// Those that a quick run has.
pub const QUICK_REGIMES: [&str; 5] = ["all dark", "0.1 % bright", "0.56 % bright", "5.5 % bright", "Poisson 1"];

/// A frame of 1024 x 1024 pixels.
#[derive(Debug)]
pub struct Regime {
    /// One of [`REGIMES`].
    pub name: &'static str,
    /// What its pixels are.
    pub element: ElementType,
    /// Its bytes.
    pub frame: Vec<u8>,
}

impl Regime {
    fn new<E: Element>(name: &'static str, frame: &[E]) -> Self {
        Self { name, element: E::TYPE, frame: as_bytes(frame).to_vec() }
    }

    /// Whether DRLE with the threshold 1 stores it without loss: 16 bits, nothing negative, nothing above 32767.
    #[must_use]
    pub fn fits_drle(&self) -> bool {
        let mut pixels = self.frame.as_chunks::<2>().0.iter().map(|pixel| i16::from_ne_bytes(*pixel));
        self.element.n_bytes == 2 && pixels.all(|pixel| pixel >= 0)
    }
}

/// A frame of one of [`REGIMES`], noise set to 0 where there is a dark image.
///
/// # Panics
/// If there is no such regime.
#[must_use]
pub fn regime(name: &str, seed: u64) -> Regime {
    let name = REGIMES.into_iter().find(|known| *known == name).unwrap_or_else(|| panic!("no regime {name}"));
    match name {
        "all dark" => Regime::new(name, &regimes::all_dark(SHAPE)),
        "0.1 % bright" => Regime::new(name, &regimes::bright(SHAPE, 0.001, seed)),
        "0.56 % bright" => Regime::new(name, &regimes::bright(SHAPE, 0.0056, seed)),
        "5.5 % bright" => Regime::new(name, &regimes::bright(SHAPE, 0.055, seed)),
        "hot rows" => Regime::new(name, &regimes::hot_rows(SHAPE, seed)),
        "Poisson 0.02" => Regime::new(name, &regimes::poisson_u16(SHAPE, 0.02, seed)),
        "Poisson 1" => Regime::new(name, &regimes::poisson_u16(SHAPE, 1.0, seed)),
        "Poisson 100" => Regime::new(name, &regimes::poisson_u16(SHAPE, 100.0, seed)),
        "12-bit noise" => Regime::new(name, &regimes::noise_12bit(SHAPE, seed)),
        "MX uint16" => Regime::new(name, &regimes::mx_frame_u16(SHAPE, seed)),
        "MX uint32" => Regime::new(name, &regimes::mx_frame_u32(SHAPE, seed)),
        _ => Regime::new(name, &regimes::projection(SHAPE, seed)),
    }
}

/// The frames of one of [`REGIMES`], as many as a pool has; camera regimes as the camera gives them.
///
/// # Panics
/// If there is no such regime.
#[must_use]
pub fn simulate(name: &str, pages: Pages) -> Input {
    match name {
        "0.1 % bright" => Input::camera(name, pages, 0.001),
        "0.56 % bright" => Input::camera(name, pages, 0.0056),
        "5.5 % bright" => Input::camera(name, pages, 0.055),
        _ => Input::simulated(name, pages),
    }
}

/// One real dataset, as `cargo xtask bench` has unpacked it.
#[derive(Debug)]
pub struct Real<'a> {
    entry: &'a Value,
    folder: &'a Path,
}

/// The real datasets in the index of `folder`.
#[must_use]
pub fn real<'a>(index: &'a Value, folder: &'a Path) -> Vec<Real<'a>> {
    index.as_array().into_iter().flatten().map(|entry| Real { entry, folder }).collect()
}

impl Real<'_> {
    /// Its name in the tables.
    #[must_use]
    pub fn name(&self) -> &str {
        self.entry["name"].as_str().unwrap_or("unnamed")
    }

    /// Whether a quick run has it.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        self.entry["quick"].as_bool().unwrap_or(false)
    }

    /// Reads its frames.
    ///
    /// # Errors
    /// Where the index or the file is not as it should be.
    pub fn load(&self, pages: Pages) -> Result<Input, Failure> {
        let number = |key: &str| {
            let n = self.entry[key].as_u64().and_then(|n| usize::try_from(n).ok());
            n.ok_or_else(|| format!("{}: no {key} in the index of real data", self.name()))
        };
        let (height, width) = (number("height")?, number("width")?);
        let element = match self.entry["dtype"].as_str() {
            Some("int16") => ElementType::I16,
            Some("uint16") => ElementType::U16,
            Some("int32") => ElementType::I32,
            Some("uint32") => ElementType::U32,
            other => return Err(format!("{}: element type {other:?}", self.name()).into()),
        };
        let file = self.entry["file"].as_str().ok_or("no file in the index of real data")?;
        let bytes = std::fs::read(self.folder.join(file))?;
        let distinct: Vec<&[u8]> = bytes.chunks_exact(height * width * element.n_bytes).collect();
        if distinct.is_empty() {
            return Err(format!("{}: {file} holds no whole frame", self.name()).into());
        }
        Ok(Input::repeated(self.name(), pages, element, (height, width), &distinct))
    }
}

/// Frames that [`dump`] writes of each regime: 128 MiB.
const DUMPED_FRAMES: usize = 64;

/// Writes the frames of two camera regimes, noise set to 0, for the part of the benchmark that goes through HDF5: one
/// file of pixels each, and `index.json`.
///
/// # Errors
/// Where `folder` cannot be written.
pub fn dump(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let mut index = Vec::new();
    for (name, file) in [("0.56 % bright", "0.56.raw"), ("5.5 % bright", "5.5.raw")] {
        let input = simulate(name, Pages::Small);
        let bytes: Vec<u8> = (0..DUMPED_FRAMES).flat_map(|slot| input.frames.frame(slot)).copied().collect();
        std::fs::write(folder.join(file), bytes)?;
        index.push(serde_json::json!({ "name": name, "file": file, "threshold": input.threshold }));
    }
    Ok(std::fs::write(folder.join("index.json"), serde_json::to_string(&index)?)?)
}

/// The frames of `cargo xtask bench talk`: 100 MB of each case, repeated while recording, as the talk repeated 100 MB of
/// real data. Sides in pixels: 0.26, 0.5 and 1.0 Mpixel.
const TALK_CASES: [(&str, &str, Shape, f64); 5] = [
    ("0.26 Mpixel", "0.56 % bright", (512, 512), 0.0056),
    ("0.5 Mpixel", "0.56 % bright", (704, 704), 0.0056),
    ("1.0 Mpixel", "0.56 % bright", (1024, 1024), 0.0056),
    ("0.5 Mpixel", "5.51 % bright", (704, 704), 0.0551),
    ("1.0 Mpixel", "5.51 % bright", (1024, 1024), 0.0551),
];

/// Writes images, dark image and description of each of the talk's cases to `folder`.
///
/// # Errors
/// Where `folder` cannot be written.
pub fn dump_talk(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    for (number, (pixels, bright, shape, fraction)) in TALK_CASES.into_iter().enumerate() {
        let mut camera = Camera::new(shape, fraction, 7);
        let n_images = 100_000_000 / (2 * shape.0 * shape.1);
        let mut images = vec![0i16; n_images * shape.0 * shape.1];
        images.chunks_exact_mut(shape.0 * shape.1).for_each(|image| camera.next_frame(image));
        let (image_file, dark_file) = (folder.join(format!("{number}.images")), folder.join(format!("{number}.dark")));
        std::fs::write(&image_file, as_bytes(&images))?;
        std::fs::write(&dark_file, as_bytes(camera.dark()))?;
        let case = serde_json::json!({
            "pixels": pixels, "input": bright, "height": shape.0, "width": shape.1, "threshold": camera.threshold(),
            "images": image_file, "dark": dark_file,
        });
        std::fs::write(folder.join(format!("{number}.json")), serde_json::to_string_pretty(&case)?)?;
    }
    Ok(())
}
