//! What the generators promise: the same bytes everywhere, and the stated fractions and shapes.

use darkchunk_sim::{Camera, regimes};

/// FNV-1a over the little-endian bytes: says whether two sets of pixels are the same.
fn hash(values: impl IntoIterator<Item = u32>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    values.into_iter().flat_map(u32::to_le_bytes).fold(0xcbf2_9ce4_8422_2325, step)
}

fn hash16<T: Copy + TryInto<u32, Error: std::fmt::Debug>>(pixels: &[T]) -> u64 {
    hash(pixels.iter().map(|p| (*p).try_into().unwrap()))
}

#[test]
fn the_same_seed_gives_the_same_pixels_on_every_platform() {
    let shape = (96, 130);
    let hashes = [
        ("bright", hash16(&regimes::bright(shape, 0.0056, 1))),
        ("hot_rows", hash16(&regimes::hot_rows(shape, 1))),
        ("poisson", hash(regimes::poisson_u32(shape, 1.0, 1))),
        ("poisson_u16", hash16(&regimes::poisson_u16(shape, 100.0, 1))),
        ("noise_12bit", hash16(&regimes::noise_12bit(shape, 1))),
        ("mx_frame", hash(regimes::mx_frame_u32(shape, 1))),
        ("projection", hash16(&regimes::projection(shape, 1))),
        ("raw_camera", hash16(&regimes::raw_camera(shape, 0.055, 1))),
        ("masked_photons", hash16(&regimes::masked_photons_u16((600, 130), 0.02, 1))),
    ];
    let golden = GOLDEN;
    assert_eq!(hashes, golden, "{hashes:#018x?}");
}

const GOLDEN: [(&str, u64); 9] = [
    ("bright", 0x5244_e093_a339_3d22),
    ("hot_rows", 0x0c43_eb22_0ab6_996d),
    ("poisson", 0xe48d_782c_73ef_dbf1),
    ("poisson_u16", 0x25fc_d100_2f4d_ab46),
    ("noise_12bit", 0x597c_d4cc_3bd4_6e38),
    ("mx_frame", 0xdf86_3c76_04ad_f398),
    ("projection", 0x0d22_7767_a209_cb06),
    ("raw_camera", 0xf888_b92d_4459_8018),
    ("masked_photons", 0x0e33_ee88_cd6b_3ecb),
];

#[test]
fn a_mask_of_eight_modules_has_the_pixels_and_runs_of_a_real_one() {
    let mask = regimes::module_mask((2167, 2070), 4);
    let n_pixels = mask.iter().filter(|is_masked| **is_masked).count();
    let n_runs = mask.chunk_by(|a, b| a == b).filter(|run| run[0]).count();
    assert!((250_000..252_000).contains(&n_pixels) && (2800..3000).contains(&n_runs), "{n_pixels} in {n_runs}");
}

#[test]
fn bright_fractions_are_as_asked_for() {
    let shape = (512, 512);
    for (wanted, n_frames) in [(0.001, 160), (0.0056, 40), (0.055, 8)] {
        let frames = regimes::bright_frames(n_frames, shape, wanted, 42);
        let found = frames.iter().filter(|p| **p > 0).count() as f64 / frames.len() as f64;
        assert!((found / wanted - 1.0).abs() < 0.06, "wanted {wanted}, found {found}");
    }
}

#[test]
fn dark_frames_stay_below_the_threshold_and_in_12_bits() {
    let mut camera = Camera::new((256, 300), 0.0, 9);
    let mut frame = vec![0i16; 256 * 300];
    let mut n_above = 0;
    for _ in 0..10 {
        camera.next_frame(&mut frame);
        n_above += frame.iter().zip(camera.dark()).filter(|(p, d)| **p - **d >= camera.threshold()).count();
        assert!(frame.iter().all(|p| (0..=4095).contains(p)));
    }
    assert!(n_above <= 1, "{n_above} of 768000 noise pixels above the threshold");
}

#[test]
fn readout_noise_has_its_deviation() {
    let mut camera = Camera::new((512, 512), 0.0, 5);
    let mut frame = vec![0i16; 512 * 512];
    camera.next_frame(&mut frame);
    let squares: i64 = frame.iter().zip(camera.dark()).map(|(p, d)| i64::from(p - d).pow(2)).sum();
    let deviation = (squares as f64 / frame.len() as f64).sqrt();
    assert!((3.3..3.7).contains(&deviation), "{deviation}");
}

#[test]
fn any_frame_of_the_stream_can_be_made_alone() {
    let mut camera = Camera::new((64, 80), 0.05, 3);
    let (mut streamed, mut alone) = (vec![0i16; 5120], vec![0u16; 5120]);
    for index in 0..5 {
        camera.next_frame(&mut streamed);
        camera.frame_at(index, &mut alone);
        assert!(streamed.iter().zip(&alone).all(|(a, b)| *a as u16 == *b), "frame {index}");
    }
    let first = streamed.clone();
    camera.next_frame(&mut streamed);
    assert_ne!(first, streamed, "consecutive frames differ");
}

#[test]
fn bright_camera_frames_have_spots_of_many_heights() {
    let frame = regimes::bright((1024, 1024), 0.055, 2);
    let most = frame.iter().max().copied().unwrap();
    assert!(most > 1500, "the brightest pixel has {most} counts");
    assert!(frame.iter().all(|p| *p == 0 || (20..=4095).contains(p)));
}

#[test]
fn mx_frames_have_background_peaks_and_masked_pixels() {
    let frame = regimes::mx_frame_u32((1100, 1100), 4);
    let n_masked = frame.iter().filter(|p| **p == regimes::MASKED_U32).count() as f64;
    let masked = n_masked / frame.len() as f64;
    assert!((0.02..0.15).contains(&masked), "{masked} masked");
    assert!(frame.iter().any(|p| *p != regimes::MASKED_U32 && *p > 2000), "no strong peak");
    let clipped = regimes::mx_frame_u16((1100, 1100), 4);
    assert!(frame.iter().zip(&clipped).all(|(a, b)| (*a == u32::MAX) == (*b == u16::MAX)));
}

#[test]
fn odd_shapes_have_their_size() {
    for shape in [(1, 1), (1, 7), (3, 1), (17, 33)] {
        assert_eq!(regimes::bright(shape, 0.0056, 1).len(), shape.0 * shape.1);
        assert_eq!(regimes::projection(shape, 1).len(), shape.0 * shape.1);
        assert_eq!(regimes::mx_frame_u32(shape, 1).len(), shape.0 * shape.1);
        assert_eq!(regimes::hot_rows(shape, 1).len(), shape.0 * shape.1);
    }
}
