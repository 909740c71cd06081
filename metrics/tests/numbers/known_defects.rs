//! What a library of metrics that is widely used gets wrong on integers is right here.

use crate::common::pair;
use darkchunk_metrics::{Comparison, Moments, Settings, Shape, Ssim, Tiles, ValueCounts};

#[test]
fn an_error_of_one_in_uint32_is_one() {
    let (x, y) = ([5u32, 0, 4_000_000_000], [4u32, 1, 3_999_999_999]);
    let mut moments = Moments::default();
    moments.add(&x, &y, &[]);
    assert_eq!((moments.max_error, moments.sum_e, moments.sum_ee), (1, -1, 3));
}

#[test]
fn squares_of_uint16_do_not_overflow() {
    let (x, y) = ([0u16; 64], [65_535u16; 64]);
    let mut moments = Moments::default();
    moments.add(&x, &y, &[]);
    assert_eq!(moments.rmse(), 65_535.0);
    assert_eq!(moments.sum_ee, 64 * 65_535 * 65_535);
}

#[test]
fn kolmogorov_smirnov_is_the_distance_of_the_distributions() {
    // Of ten pixels four become smaller by one step.
    let (x, y) = ([1u16, 1, 2, 2, 3, 3, 4, 4, 5, 5], [1u16, 1, 2, 2, 2, 2, 2, 2, 5, 5]);
    let mut counts = ValueCounts::default();
    counts.add(&x, &y, &[]);
    assert_eq!(counts.test().unwrap().d, 0.4);
}

#[test]
fn there_is_an_ssim_for_integers() {
    let shape = Shape { height: 9, width: 9 };
    let x: Vec<u8> = (0..81).map(|i| (i * 37 % 200) as u8).collect();
    let y: Vec<u8> = x.iter().map(|x| x / 16 * 16).collect();
    let mut ssim = Ssim::new(255.0);
    ssim.add(shape, 0, &x, &y, &[]);
    let found = ssim.mean().unwrap();
    assert!(found > 0.9 && found < 0.999, "{found}");
}

#[test]
fn errors_above_and_below_count_alike_by_place() {
    let shape = Shape { height: 64, width: 64 };
    let x = vec![100u16; shape.n_pixels()];
    for (at, value) in [(40 * 64 + 40, 130), (40 * 64 + 40, 70)] {
        let mut y = x.clone();
        y[at] = value;
        let mut tiles = Tiles::new(shape, None);
        tiles.add(3, &x, &y, &[]);
        let worst = tiles.report().worst.unwrap();
        assert_eq!((worst.frame, worst.row, worst.column), (Some(3), 32, 32), "{value}");
        let mut comparison = Comparison::new(Settings::new(shape)).unwrap();
        comparison.add(3, &pair(shape, &x, &y)).unwrap();
        let largest = comparison.report().largest;
        assert_eq!((largest[0].magnitude, largest[0].row, largest[0].column), (30, 40, 40));
    }
}
