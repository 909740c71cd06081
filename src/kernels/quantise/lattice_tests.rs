use super::lattice::*;
use crate::cpu::Level;

fn numbers() -> Vec<f32> {
    let mut state = 7_u64;
    let any = (0..if cfg!(miri) { 40 } else { 20_000 }).map(|n: i32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = f32::from_bits((state >> 32) as u32);
        // As many of usual size as of any.
        if n % 2 == 0 { bits } else { ((state >> 40) as i32 - (1 << 23)) as f32 / 1e4 }
    });
    let edges = [0.0, -0.0, f32::MIN_POSITIVE, f32::MAX, f32::MIN, f32::INFINITY, f32::NAN, 1.0, -1.0, 0.1];
    edges.into_iter().chain(any).collect()
}

fn lattices() -> Vec<Lattice> {
    let exact = Lattice::default();
    let of = |tolerance: f64| Lattice::new(tolerance, &[839.0]);
    vec![exact, of(1e-4), of(0.1), of(1.0), of(1e30), Lattice { tolerance: 1e-36, step: MIN_STEP }]
}

#[test]
fn levels_are_within_the_tolerance_or_exceptions() {
    for lattice in lattices() {
        let numbers = numbers();
        let bits: Vec<i32> = numbers.iter().map(|number| number.to_bits().cast_signed()).collect();
        let (mut found, mut tally) = (bits.clone(), Tally::default());
        levels(Level::SCALAR, &lattice, &mut found, &mut tally);
        let is_exception: Vec<bool> = found.iter().map(|level| *level == EXCEPTION && !lattice.is_exact()).collect();
        assert_eq!(tally.n_exceptions() as usize, is_exception.iter().filter(|is| **is).count());
        values(Level::SCALAR, lattice.step, &mut found);
        for ((x, y), is_exception) in numbers.iter().zip(&found).zip(is_exception) {
            let y_number = f32::from_bits(y.cast_unsigned());
            let error = (f64::from(y_number) - f64::from(*x)).abs();
            let is_right =
                if lattice.is_exact() { x.to_bits().cast_signed() == *y } else { error <= lattice.tolerance };
            assert!(is_exception || is_right, "{lattice:?} {x:?} {y_number:?}");
            // What is neither too large nor infinite nor NaN has a level.
            let has_room = (f64::from(*x) / lattice.step).abs() < f64::from(1 << 22) && x.abs() < 839.0;
            assert!(lattice.is_exact() || !has_room || !is_exception, "{lattice:?} {x:?}");
        }
    }
}

#[test]
fn every_level_of_the_processor_agrees_with_scalar() {
    for lattice in lattices() {
        let bits: Vec<i32> = numbers().iter().map(|number| number.to_bits().cast_signed()).collect();
        for n in (0..40).chain([bits.len()]).filter(|n| *n <= bits.len()) {
            let at = |level: Level| {
                let (mut found, mut tally) = (bits[..n].to_vec(), Tally::default());
                levels(level, &lattice, &mut found, &mut tally);
                let sums = [tally.most(), tally.sum(), tally.sum_of_squares()].map(f64::to_bits);
                let mut back = found.clone();
                values(level, lattice.step, &mut back);
                (found, back, sums, tally.n_to_zero(), tally.n_exceptions())
            };
            let expected = at(Level::SCALAR);
            Level::available().iter().for_each(|level| assert!(at(*level) == expected, "{level:?} {lattice:?} {n}"));
        }
    }
}

#[test]
fn bits_in_their_order_rise_with_the_numbers() {
    let mut numbers: Vec<f32> = numbers().into_iter().filter(|number| !number.is_nan()).collect();
    numbers.sort_by(f32::total_cmp);
    let mut found: Vec<i32> = numbers.iter().map(|number| number.to_bits().cast_signed()).collect();
    levels(Level::SCALAR, &Lattice::default(), &mut found, &mut Tally::default());
    assert!(found.is_sorted());
    assert_eq!(found.iter().position(|level| *level == 0), numbers.iter().position(|number| number.to_bits() == 0));
}

#[test]
fn a_number_that_a_level_stands_for_is_known_also_where_levels_are_closer_than_numbers() {
    let mut n_found = 0;
    for lattice in [0.3, 7.0, 100.0, 1000.0, 3e5].map(|step| Lattice { tolerance: step, step }) {
        let size = 2_f32.powi(30);
        let edges = [size, size.next_up(), size.next_down(), -size, 0.0, -0.0, 6.0, 0.3, 0.6, 1e30, f32::MAX];
        for number in edges.into_iter().chain(numbers().into_iter().map(|number| number % 1e7)) {
            let near = i64::from((f64::from(number) / lattice.step) as i32);
            let levels = (near - 64..near + 64).filter(|level| level.abs() <= 1 << 30);
            let mut around: Vec<i32> = levels.map(|level| level as i32).collect();
            values(Level::SCALAR, lattice.step, &mut around);
            let is_there = around.iter().any(|bits| f32::from_bits(bits.cast_unsigned()) == number);
            n_found += u32::from(is_there);
            assert_eq!(lattice.has(number), is_there, "{lattice:?} {number:?}");
        }
    }
    assert!(n_found > 20);
}

#[test]
fn steps_are_a_little_shorter_where_a_level_would_stand_for_a_sentinel() {
    let first = Lattice::new(0.25, &[839.0]);
    assert_eq!(first.avoiding(&[-1.0, 2.0]), first);
    assert!(first.has(-1.96875) && first.has(0.0));
    let other = first.avoiding(&[-1.96875, 31.5, 0.0]);
    assert!(!other.has(-1.96875) && !other.has(31.5));
    assert!(other.step >= 0.8 * first.step && other.step < first.step && other.tolerance == first.tolerance);
    // One that cannot be avoided does not hinder others.
    assert_eq!(first.avoiding(&[-1.96875, 31.5, 0.0, 1e8]), other);
    let shortest = Lattice { tolerance: 1e-36, step: MIN_STEP };
    assert_eq!(shortest.avoiding(&[MIN_STEP as f32]), shortest);
    assert_eq!(Lattice::default().avoiding(&[1.0]), Lattice::default());
}

#[test]
fn a_tolerance_that_leaves_no_room_is_exact() {
    assert!(Lattice::new(1e-5, &[839.0]).is_exact(), "839 is 6e-5 from the next number");
    assert!(Lattice::new(1e-38, &[1e-38]).is_exact(), "steps would be too short");
    assert!(Lattice::new(0.0, &[0.0]).is_exact());
    assert!(Lattice::new(1.0, &[f32::MAX]).is_exact());
    // A hot pixel costs nothing where it is rare.
    assert_eq!(Lattice::new(1e-3, &[1e9, 1.0]).step, Lattice::new(1e-3, &[1.0]).step);
}
