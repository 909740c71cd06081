//! DRLE containers in bytes that nothing else is known of.

use darkchunk::Exec;
use darkchunk::codec::Codec;
use darkchunk::codec::drle::{Drle, HEADER_BYTES, Mode, VERSION_PACKED};
use darkchunk::element::ElementType;
use darkchunk::salvage::scan::Scan;
use darkchunk_sim::Rng;
use std::io::{self, Read};

const N_PIXELS: usize = 120;

/// A value that is no measurement.
const SENTINEL: u16 = u16::MAX;

/// Frame `number`: mostly dark. Every third one has masked pixels.
fn frame(number: usize) -> Vec<u8> {
    let mut rng = Rng::new(number as u64 + 1);
    let mut pixel = |at: usize| match rng.below(9) {
        _ if number % 3 == 1 && at % 50 > 40 => SENTINEL,
        0 => 30 + rng.below(900) as u16,
        _ => 0,
    };
    let pixels: Vec<u16> = (0..N_PIXELS).map(&mut pixel).collect();
    pixels.into_iter().flat_map(u16::to_le_bytes).collect()
}

/// A container of these frames.
fn container(numbers: std::ops::Range<usize>) -> Vec<u8> {
    container_of(Mode::Container, numbers)
}

fn container_of(mode: Mode, numbers: std::ops::Range<usize>) -> Vec<u8> {
    let pixels: Vec<u8> = numbers.flat_map(frame).collect();
    let drle = Drle::new(20)
        .unwrap()
        .with_mode(mode)
        .with_segment_pixels(N_PIXELS as u32)
        .with_sentinels(&[SENTINEL])
        .unwrap();
    let mut chunk = vec![0; drle.max_encoded_len(pixels.len())];
    let n_bytes = drle.encode(Exec::current(), &pixels, &mut chunk).unwrap();
    chunk.truncate(n_bytes);
    chunk
}

fn noise(n_bytes: usize) -> Vec<u8> {
    let mut rng = Rng::new(n_bytes as u64);
    (0..n_bytes).map(|_| b"DRLE\x01\x00\xFF "[rng.below(8)]).collect()
}

/// What a scan found: for each container its offset, and its frames, decoded.
type Containers = Vec<(u64, Vec<Option<Vec<u8>>>)>;

fn scan(source: impl Read) -> (Containers, u64) {
    let mut scan = Scan::new(source);
    let mut containers = Vec::new();
    while let Some(found) = scan.next_container().expect("readable") {
        let frames = found.frames().map(|frame| {
            let frame = frame.ok()?;
            let chunk = frame.to_container().expect("memory");
            let mut pixels = vec![0; 2 * frame.n_pixels()];
            Drle::new(1).unwrap().decode(Exec::current(), &chunk, &mut pixels).expect("a frame that is proved decodes");
            Some(pixels)
        });
        containers.push((found.offset, frames.collect()));
    }
    (containers, scan.n_skipped())
}

/// Bytes with containers in them, and where.
fn file() -> (Vec<u8>, Vec<(usize, std::ops::Range<usize>)>) {
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    for (n_between, numbers) in [(77, 0..1), (0, 1..4), (3, 4..5), (1001, 5..9), (2, 9..10)] {
        bytes.extend(noise(n_between));
        places.push((bytes.len(), numbers.clone()));
        bytes.extend(container(numbers));
    }
    bytes.extend(noise(50));
    (bytes, places)
}

fn expected(places: &[(usize, std::ops::Range<usize>)]) -> Containers {
    places
        .iter()
        .map(|(at, numbers)| (*at as u64, numbers.clone().map(|number| Some(frame(number))).collect()))
        .collect()
}

/// Hands out a few bytes at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = buffer.len().min(self.0.len()).min(7);
        buffer[..n_bytes].copy_from_slice(&self.0[..n_bytes]);
        self.0 = &self.0[n_bytes..];
        Ok(n_bytes)
    }
}

#[test]
fn containers_are_found_wherever_they_are() {
    let (bytes, places) = file();
    assert_eq!(scan(&bytes[..]), (expected(&places), 0));
    assert_eq!(scan(Trickle(&bytes)), (expected(&places), 0));
    for n_bytes in 0..9 {
        let bytes = [noise(n_bytes), container(0..2)].concat();
        assert_eq!(scan(&bytes[..]).0, expected(&[(n_bytes, 0..2)]));
    }
}

#[test]
fn frames_of_the_other_byte_order_are_those_of_this_machine() {
    for (code, element) in [(1, ElementType::I16), (2, ElementType::I16), (3, ElementType::U16), (4, ElementType::U16)]
    {
        let drle = Drle::from_cd_values(&[20, 0, 0, 1, code, N_PIXELS as u32, 0]).unwrap();
        let pixels = frame(3);
        let stored: Vec<u8> = match code % 2 {
            1 => pixels.clone(),
            _ => pixels.as_chunks::<2>().0.iter().flat_map(|[low, high]| [*high, *low]).collect(),
        };
        let mut chunk = vec![0; 1000];
        let n_bytes = drle.encode(Exec::current(), &stored, &mut chunk).unwrap();
        let mut scan = Scan::new(&chunk[..n_bytes]);
        let found = scan.next_container().expect("readable").expect("a container");
        let one = found.frames().next().expect("a frame").expect("sound");
        assert_eq!((one.element(), one.n_pixels(), one.threshold()), (element, N_PIXELS, 20));
        let mut decoded = vec![0; 2 * N_PIXELS];
        Drle::new(1)
            .unwrap()
            .decode(Exec::current(), &one.to_container().expect("memory"), &mut decoded)
            .expect("it decodes");
        let native = pixels.as_chunks::<2>().0.iter().flat_map(|pixel| u16::from_le_bytes(*pixel).to_ne_bytes());
        assert!(decoded == native.collect::<Vec<_>>(), "type {code}");
    }
}

#[test]
fn frames_of_packed_containers_are_found_but_for_those_that_are_damaged() {
    let chunk = container_of(Mode::Packed, 0..9);
    assert_eq!(chunk[4], VERSION_PACKED);
    let mut bytes = [noise(30), chunk, noise(20)].concat();
    let mut frames: Vec<_> = (0..9).map(|number| Some(frame(number))).collect();
    assert_eq!(scan(&bytes[..]).0, [(30, frames.clone())]);
    let in_last = bytes.len() - 24;
    bytes[in_last] ^= 1;
    frames[8] = None;
    assert_eq!(scan(&bytes[..]).0, [(30, frames)]);
}

#[test]
fn containers_across_the_windows_border_are_found() {
    let one = container(0..3);
    for n_before in ((1 << 20) - one.len() - 5..(1 << 20) + 5).step_by(11) {
        let bytes = [vec![b'D'; n_before], one.clone(), vec![7; 100]].concat();
        assert_eq!(scan(&bytes[..]).0, expected(&[(n_before, 0..3)]), "{n_before}");
    }
}

#[test]
fn bytes_without_a_container_have_none() {
    for bytes in
        [vec![], b"DRL".to_vec(), b"DRLE".to_vec(), vec![0; 3 << 20], noise(1 << 16), container(0..1)[..40].to_vec()]
    {
        let found = scan(&bytes[..]).0;
        assert!(found.iter().all(|(_, frames)| frames.iter().all(Option::is_none)), "{} bytes", bytes.len());
    }
}

#[test]
fn every_truncation_keeps_the_frames_before_the_end() {
    let (bytes, places) = file();
    for n_bytes in 0..bytes.len() {
        let found = scan(&bytes[..n_bytes]).0;
        let frames: Vec<_> = found.iter().flat_map(|(_, frames)| frames.iter().flatten()).collect();
        assert!(frames.iter().enumerate().all(|(number, pixels)| **pixels == frame(number)), "{n_bytes}");
        let n_whole = places.iter().filter(|(at, numbers)| at + container(numbers.clone()).len() <= n_bytes);
        let n_least = n_whole.map(|(_, numbers)| numbers.len()).sum::<usize>();
        assert!(
            (n_least..n_least + 4).contains(&frames.len()),
            "{n_bytes}: {} frames, {n_least} are whole",
            frames.len()
        );
    }
}

#[test]
fn every_changed_byte_costs_one_frame_or_one_container() {
    let (bytes, places) = file();
    let all: Vec<_> = expected(&places);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x14;
        let (found, _) = scan(&changed[..]);
        let hit =
            places.iter().position(|(start, numbers)| (*start..start + container(numbers.clone()).len()).contains(&at));
        for (index, container) in all.iter().enumerate() {
            let same = found.iter().find(|(offset, _)| *offset == container.0);
            match same {
                Some(same) if Some(index) == hit => {
                    let n_lost = same.1.iter().filter(|frame| frame.is_none()).count();
                    let is_right =
                        same.1.iter().zip(&container.1).all(|(found, frame)| found.is_none() || found == frame);
                    assert!(n_lost == 1 && is_right, "byte {at}: {n_lost} frames lost");
                }
                Some(same) => assert!(same == container, "byte {at}: container {index}"),
                None => {
                    let front = container.0 as usize..container.0 as usize + HEADER_BYTES + 8 * container.1.len();
                    assert!(front.contains(&at), "byte {at}: container {index} is lost");
                }
            }
        }
    }
}

#[test]
fn a_container_within_the_bytes_that_a_damaged_one_claims_is_found() {
    let (old, new) = (container(0..6), container(6..7));
    let mut bytes = old.clone();
    let at = old.len() - new.len() - 10;
    bytes[at..at + new.len()].copy_from_slice(&new);
    let (found, _) = scan(&bytes[..]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[1], (at as u64, vec![Some(frame(6))]));
    assert_eq!(found[0].1[0], Some(frame(0)));
}

/// Containers with a table as long as it can be made, each within the one before: what they claim is not there.
fn hostile(n_bytes: usize) -> Vec<u8> {
    let one = container(0..1);
    let mut bytes = Vec::new();
    while bytes.len() < n_bytes {
        let rest = (n_bytes - bytes.len()).next_multiple_of(2);
        let mut header = one[..HEADER_BYTES + 8].to_vec();
        let end = (HEADER_BYTES + 8 + rest) as u32;
        header[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(&end.to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header[..20]);
        hasher.update(&header[HEADER_BYTES..]);
        header[20..24].copy_from_slice(&hasher.finalize().to_le_bytes());
        bytes.extend(header);
    }
    bytes
}

#[test]
fn claims_that_are_made_for_it_are_skipped_and_counted() {
    // Each claims all that follows: 400 GB together.
    let bytes = [hostile(5 << 20), container(0..1)].concat();
    let (_, n_skipped) = scan(&bytes[..]);
    assert!(n_skipped > 100_000, "{n_skipped} skipped");
    // Short ones are all looked at.
    assert_eq!(scan(&hostile(1 << 14)[..]).1, 0);
}

/// Fails after some bytes.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = buffer.len().min(self.0);
        self.0 -= n_bytes;
        if n_bytes == 0 { Err(io::Error::other("a bad block")) } else { Ok(n_bytes) }
    }
}

#[test]
fn a_source_that_fails_says_why() {
    let mut scan = Scan::new(Failing(3 << 20));
    assert_eq!(scan.next_container().map(|_| ()).expect_err("a bad block").to_string(), "a bad block");
}
