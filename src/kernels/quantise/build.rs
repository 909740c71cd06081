//! Which levels there are. Where the tolerance does not fall from one value to the next higher one, an interval that begins at `a`
//! and whose level stands for y = a + tolerance(a) may go on for as long as values are within their own tolerance of y. Below 0 the same
//! goes downwards, where an interval that ends at `a` has at most 2 tolerance(a) + 1 values.

use super::{Bound, Domain, Entry, Inner, List, Options, Quantiser, Upto};

/// Levels above 0, and below, that are listed at most. The values after them are exact. With β = 1 and a gain of 1 they reach 67 million
/// counts.
const MAX_UP: usize = 1 << 14;
const MAX_DOWN: usize = 1 << 12;

impl Quantiser {
    /// The quantiser for a bound, needed for levels or values up to `upto` only: what it does to others is unspecified, but in the
    /// domain.
    #[must_use]
    pub fn new(bound: Bound, options: Options, domain: &Domain, upto: Upto) -> Self {
        let range = domain.range;
        let top = domain.saturation.map_or(range.1, |saturation| range.1.min(i64::from(saturation) - 1)).max(0);
        let bottom = if domain.keep_negative { range.0.max(0) } else { range.0 };
        let (inner, low, high) = match bound {
            Bound::Exact | Bound::AbsoluteFloat(_) | Bound::RelativeFloat(_) => {
                (Inner::Uniform { step: 1 }, bottom, top)
            }
            Bound::Absolute(counts) => {
                let counts = i64::from(counts);
                let step = if options.unbiased { counts + 1 } else { 2 * counts + 1 };
                (Inner::Uniform { step }, bottom, top)
            }
            Bound::Noise(_) => {
                let builder = Builder { bound, options, bottom, top, upto };
                let (list, low, high) = builder.list();
                (Inner::Listed(list), low, high)
            }
        };
        let mut quantiser = Self { bound, options, range, low: (low, 0), high: (high, 0), inner };
        quantiser.low.1 = quantiser.inner_level(low);
        quantiser.high.1 = quantiser.inner_level(high);
        // Where it is unbiased the level below is found; the highest value is the value of the next one.
        if options.unbiased && quantiser.unclamped(quantiser.high.1) < high {
            quantiser.high.1 += 1;
        }
        quantiser
    }

    fn unclamped(&self, level: i64) -> i64 {
        match &self.inner {
            Inner::Uniform { step } => self.uniform_value(*step, level),
            Inner::Listed(list) => list.value(level),
        }
    }
}

struct Builder {
    bound: Bound,
    options: Options,
    bottom: i64,
    top: i64,
    upto: Upto,
}

impl Builder {
    /// The levels, and the values from and to which they reach.
    fn list(&self) -> (List, i64, i64) {
        let zero = if self.options.keep_zero || self.options.unbiased { (0, 0) } else { self.zero() };
        let mut list = List { zero, ..List::default() };
        let high = if self.options.unbiased { self.lattice_up(&mut list) } else { self.intervals_up(&mut list) };
        let low = if self.options.unbiased { self.lattice_down(&mut list) } else { self.intervals_down(&mut list) };
        (list, low, high)
    }

    fn tolerance(&self, x: i64) -> i64 {
        self.bound.tolerance(x)
    }

    /// The values that may become 0.
    fn zero(&self) -> (i64, i64) {
        let depth = greatest(-self.bottom, |depth| depth <= self.tolerance(-depth));
        (-depth, self.reach(0, 0))
    }

    /// The last of the values after `from` that are all within their tolerance of `y`.
    fn reach(&self, y: i64, from: i64) -> i64 {
        let mut last = from;
        while last < self.top {
            let next = y + self.tolerance(last + 1);
            if next <= last {
                break;
            }
            last = next.max(last + 1);
        }
        last.min(self.top)
    }

    /// The first value above the interval of 0 that has a tolerance.
    fn first_up(&self, zero_end: i64) -> i64 {
        zero_end + 1 + greatest(self.top - zero_end, |n| n == 0 || self.tolerance(zero_end + n) == 0)
    }

    fn is_enough(&self, list: &List, start: i64) -> bool {
        list.up.len() == MAX_UP
            || match self.upto {
                Upto::Value(value) => start > value,
                Upto::Level(level) => list.first_up + list.up.len() as i64 > level,
            }
    }

    fn intervals_up(&self, list: &mut List) -> i64 {
        let mut start = self.first_up(list.zero.1);
        list.first_up = start - list.zero.1;
        while start <= self.top && !self.is_enough(list, start) {
            let value = (start + self.tolerance(start)).min(self.top);
            list.up.push(Entry::new(start, value));
            start = self.reach(value, value) + 1;
        }
        start - 1
    }

    fn intervals_down(&self, list: &mut List) -> i64 {
        let mut end = list.zero.0 - 1;
        while end >= self.bottom && self.tolerance(end) > 0 && list.down.len() < MAX_DOWN {
            let width = greatest(end - self.bottom, |width| width <= 2 * self.tolerance(end - width));
            list.down.push(Entry::new(end - width, end - width / 2));
            end -= width + 1;
        }
        end + 1
    }

    fn lattice_up(&self, list: &mut List) -> i64 {
        // A value of its own before the first step.
        let least = i64::from(self.options.keep_zero).min(self.top);
        let mut value = (self.first_up(0) - 1).max(least);
        list.first_up = value;
        list.up.push(Entry::new(value, value));
        while value < self.top && !self.is_enough(list, value) {
            value = (value + 1 + self.tolerance(value + 1)).min(self.top);
            list.up.push(Entry::new(value, value));
        }
        value
    }

    fn lattice_down(&self, list: &mut List) -> i64 {
        let mut value = 0;
        while value > self.bottom && list.down.len() < MAX_DOWN {
            let keeps_zero = self.options.keep_zero && value == 0;
            let most = if keeps_zero { 0 } else { value - self.bottom - 1 };
            let more = greatest(most, |more| more <= self.tolerance(value - more));
            if more == 0 && !keeps_zero {
                break;
            }
            value -= more + 1;
            list.down.push(Entry::new(value, value));
        }
        value
    }
}

/// The greatest number from 0 to `most` for which `is` holds, as it does for 0 and for all up to some number.
fn greatest(most: i64, is: impl Fn(i64) -> bool) -> i64 {
    let (mut yes, mut no) = (0, most + 1);
    while no - yes > 1 {
        let middle = yes + (no - yes) / 2;
        if is(middle) { yes = middle } else { no = middle }
    }
    yes
}
