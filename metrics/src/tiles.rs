//! Errors by region: tiles of 32 x 32 pixels.

use crate::block::SMALL;
use crate::isa::widest;
use crate::{NoiseModel, Pixel, Shape, statistics};

/// Side of a tile; those at the end of a row or column may be smaller.
pub const TILE_SIDE: usize = 32;

/// Sums over pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Pixels that count.
    pub n: u64,
    /// Σx.
    pub x: i128,
    /// Σe.
    pub e: i128,
    /// Σe².
    pub ee: i128,
}

impl Sums {
    pub(crate) fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.x += other.x;
        self.e += other.e;
        self.ee += other.ee;
    }

    /// Σσ², by the model at the mean of x.
    pub(crate) fn variance(&self, noise: &NoiseModel) -> f64 {
        noise.variance(statistics::quotient(self.x as f64, self.n as f64)) * self.n as f64
    }

    /// √(Σe² / Σσ²); RMSE in counts without a model.
    #[must_use]
    pub fn rms(&self, noise: Option<&NoiseModel>) -> f64 {
        let of = noise.map_or(self.n as f64, |noise| self.variance(noise));
        statistics::quotient(self.ee as f64, of).sqrt()
    }

    /// Σe / √Σσ²: the change of the flux in units of its own noise.
    #[must_use]
    pub fn flux_in_sigma(&self, noise: &NoiseModel) -> f64 {
        statistics::quotient(self.e as f64, self.variance(noise).sqrt())
    }
}

/// A tile of a frame, or of all frames.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Tile {
    /// The frame; `None` for all.
    pub frame: Option<u64>,
    /// Its first row.
    pub row: usize,
    /// Its first column.
    pub column: usize,
    /// What makes it worst.
    pub value: f64,
}

/// Errors by tile: summed over all frames, the worst tile of a frame, and the standard error of the bias.
///
/// | metric | definition |
/// |---|---|
/// | worst tile | of all frames the one with the largest √(Σe² / Σσ²), in σ (RMSE in counts without a model) |
/// | worst flux of a tile | the largest \|Σe\| / √Σσ² |
/// | standard error of the bias | √Σ(S_k − n_k ē)² / n, S_k = Σe of tile k: holds for errors that are correlated within a tile, too |
#[derive(Debug, Clone, PartialEq)]
pub struct Tiles {
    shape: Shape,
    noise: Option<NoiseModel>,
    sums: Vec<Sums>,
    worst: Option<Tile>,
    worst_flux: Option<Tile>,
    /// ΣS², ΣSn, Σn², and the number of tiles with pixels.
    spread: (i128, i128, i128, u64),
}

/// The numbers of [`Tiles`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TilesReport {
    /// Side of a tile in pixels.
    pub side: usize,
    /// The worst tile of a frame.
    pub worst: Option<Tile>,
    /// The tile of a frame whose flux changed most.
    pub worst_flux: Option<Tile>,
    /// The tile with the largest |Σe| / √Σσ² over all frames.
    pub worst_flux_of_all: Option<Tile>,
    /// The standard error of the bias.
    pub bias_error: f64,
    /// Rows and columns of tiles.
    pub grid: (usize, usize),
}

impl Tiles {
    /// For frames of this shape.
    #[must_use]
    pub fn new(shape: Shape, noise: Option<NoiseModel>) -> Self {
        let n_tiles = shape.height.div_ceil(TILE_SIDE) * shape.width.div_ceil(TILE_SIDE);
        let sums = vec![Sums::default(); n_tiles];
        Self { shape, noise, sums, worst: None, worst_flux: None, spread: (0, 0, 0, 0) }
    }

    /// Rows and columns of tiles.
    #[must_use]
    pub fn grid(&self) -> (usize, usize) {
        (self.shape.height.div_ceil(TILE_SIDE), self.shape.width.div_ceil(TILE_SIDE))
    }

    /// The sums over all frames, tile by tile.
    #[must_use]
    pub fn sums(&self) -> &[Sums] {
        &self.sums
    }

    /// Adds a frame, and returns its sums.
    pub fn add<P: Pixel>(&mut self, frame: u64, x: &[P], y: &[P], valid: &[bool]) -> Sums {
        let (width, columns) = (self.shape.width, self.grid().1);
        let mut row_of_tiles = vec![Sums::default(); columns];
        let mut total = Sums::default();
        for row in 0..self.shape.height {
            let at = row * width..(row + 1) * width;
            let valid = valid.get(at.clone()).unwrap_or_default();
            let row_pixels = RowPixels { x: &x[at.clone()], y: &y[at], valid };
            add_row(&row_pixels, &mut row_of_tiles);
            if (row + 1) % TILE_SIDE == 0 || row + 1 == self.shape.height {
                self.end_tiles(frame, row / TILE_SIDE, &mut row_of_tiles, &mut total);
            }
        }
        total
    }

    fn end_tiles(&mut self, frame: u64, row: usize, tiles: &mut [Sums], total: &mut Sums) {
        for (column, sums) in tiles.iter_mut().enumerate().filter(|(_, sums)| sums.n > 0) {
            let tile =
                |value: f64| Tile { frame: Some(frame), row: row * TILE_SIDE, column: column * TILE_SIDE, value };
            take_worst(&mut self.worst, tile(sums.rms(self.noise.as_ref())));
            if let Some(noise) = &self.noise {
                take_worst(&mut self.worst_flux, tile(sums.flux_in_sigma(noise)));
            }
            let (e, n) = (sums.e, i128::from(sums.n));
            let (ee, en, nn, n_tiles) = self.spread;
            self.spread = (ee.saturating_add(e.saturating_mul(e)), en + e * n, nn + n * n, n_tiles + 1);
            total.add(sums);
            self.sums[row * self.shape.width.div_ceil(TILE_SIDE) + column].add(sums);
            *sums = Sums::default();
        }
    }

    /// Adds what another one has of other frames of the same shape.
    pub fn merge(&mut self, other: &Self) {
        self.sums.iter_mut().zip(&other.sums).for_each(|(sums, other)| sums.add(other));
        other.worst.into_iter().for_each(|tile| take_worst(&mut self.worst, tile));
        other.worst_flux.into_iter().for_each(|tile| take_worst(&mut self.worst_flux, tile));
        let (a, b) = (self.spread, other.spread);
        self.spread = (a.0.saturating_add(b.0), a.1 + b.1, a.2 + b.2, a.3 + b.3);
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> TilesReport {
        let mut worst_of_all = None;
        for (index, sums) in self.sums.iter().enumerate().filter(|(_, sums)| sums.n > 0) {
            let (row, column) = (index / self.grid().1 * TILE_SIDE, index % self.grid().1 * TILE_SIDE);
            if let Some(noise) = &self.noise {
                take_worst(&mut worst_of_all, Tile { frame: None, row, column, value: sums.flux_in_sigma(noise) });
            }
        }
        TilesReport {
            side: TILE_SIDE,
            worst: self.worst,
            worst_flux: self.worst_flux,
            worst_flux_of_all: worst_of_all,
            bias_error: self.bias_error(),
            grid: self.grid(),
        }
    }

    fn bias_error(&self) -> f64 {
        let mut all = Sums::default();
        self.sums.iter().for_each(|sums| all.add(sums));
        let (n, (ee, en, nn, n_tiles)) = (all.n as f64, self.spread);
        let mean = statistics::quotient(all.e as f64, n);
        let squares = ee as f64 - 2.0 * mean * en as f64 + mean * mean * nn as f64;
        // The mean is taken from the same tiles.
        let freedom = statistics::quotient(n_tiles as f64, n_tiles as f64 - 1.0);
        statistics::quotient((squares * freedom).max(0.0).sqrt(), n)
    }
}

/// By magnitude; of equal ones the first.
fn take_worst(worst: &mut Option<Tile>, tile: Tile) {
    let place = |tile: &Tile| (tile.frame, tile.row, tile.column);
    let is_worse = |old: &Tile| {
        let order = tile.value.abs().total_cmp(&old.value.abs());
        order.is_gt() || (order.is_eq() && place(&tile) < place(old))
    };
    if worst.as_ref().is_none_or(is_worse) {
        *worst = Some(tile);
    }
}

widest! {
    fn add_row<P: Pixel>(row: &RowPixels<'_, P>, tiles: &mut [Sums]) {
        row.add_to(tiles);
    }
}

/// A row of both frames.
struct RowPixels<'a, P> {
    x: &'a [P],
    y: &'a [P],
    /// Empty where all count.
    valid: &'a [bool],
}

impl<P: Pixel> RowPixels<'_, P> {
    #[inline(always)]
    fn add_to(&self, tiles: &mut [Sums]) {
        let segments = self.x.chunks(TILE_SIDE).zip(self.y.chunks(TILE_SIDE)).enumerate();
        for ((tile, (x, y)), sums) in segments.zip(tiles) {
            let from = tile * TILE_SIDE;
            sums.add(&match self.valid.get(from..from + x.len()) {
                None => segment(x, y, |_| true),
                Some(valid) => segment(x, y, |at| valid[at]),
            });
        }
    }
}

/// The sums of up to 32 pixels that follow each other.
#[inline(always)]
fn segment<P: Pixel>(x: &[P], y: &[P], counts: impl Fn(usize) -> bool) -> Sums {
    if let (Ok(x), Ok(y)) = (x.try_into(), y.try_into()) {
        return small_segment(x, y, &counts).unwrap_or_else(|| any_segment(x, y, &counts));
    }
    any_segment(x, y, &counts)
}

#[inline(always)]
fn small_segment<P: Pixel>(x: &[P; TILE_SIDE], y: &[P; TILE_SIDE], counts: &impl Fn(usize) -> bool) -> Option<Sums> {
    let is_small = |pixel: P| (-SMALL..SMALL).contains(&pixel.value());
    if P::N_BITS > 16 && !(0..TILE_SIDE).fold(true, |all, at| all & is_small(x[at]) & is_small(y[at])) {
        return None;
    }
    let (mut n, mut sum_x, mut sum_e, mut sum_ee, mut magnitudes) = (0, 0i32, 0i32, 0u32, 0u32);
    let mut errors = [0i32; TILE_SIDE];
    for at in 0..TILE_SIDE {
        // All bits or none.
        let kept = -i32::from(counts(at));
        let e = (y[at].small() - x[at].small()) & kept;
        n -= kept;
        sum_x += x[at].small() & kept;
        sum_e += e;
        sum_ee = sum_ee.wrapping_add((e as u32).wrapping_mul(e as u32));
        magnitudes |= e.unsigned_abs();
        errors[at] = e;
    }
    // 32 squares of 13 bits fit 31.
    let is_exact = magnitudes < 1 << 13;
    let squares = || errors.iter().map(|e| i64::from(*e) * i64::from(*e)).sum::<i64>();
    let ee = if is_exact { sum_ee.into() } else { squares().into() };
    Some(Sums { n: n as u64, x: sum_x.into(), e: sum_e.into(), ee })
}

#[inline(always)]
fn any_segment<P: Pixel>(x: &[P], y: &[P], counts: &impl Fn(usize) -> bool) -> Sums {
    let mut sums = Sums::default();
    for at in (0..x.len()).filter(|at| counts(*at)) {
        let (x, y) = (i128::from(x[at].value()), i128::from(y[at].value()));
        sums.add(&Sums { n: 1, x, e: y - x, ee: (y - x) * (y - x) });
    }
    sums
}
