//! Small pictures, as PNG in the text of a page.

use std::io::Write;

/// A picture of RGB.
pub(crate) struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) rgb: Vec<[u8; 3]>,
}

impl Picture {
    /// `data:image/png;base64,…`
    pub(crate) fn data_uri(&self) -> String {
        format!("data:image/png;base64,{}", base64(&self.png()))
    }

    fn png(&self) -> Vec<u8> {
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut header = Vec::new();
        header.extend((self.width as u32).to_be_bytes());
        header.extend((self.height as u32).to_be_bytes());
        // 8 bits of each of three colours, the only compression, filter and interlace.
        header.extend([8, 2, 0, 0, 0]);
        chunk(&mut png, b"IHDR", &header);
        let mut rows = Vec::with_capacity(self.height * (3 * self.width + 1));
        for row in self.rgb.chunks(self.width.max(1)) {
            rows.push(0);
            row.iter().for_each(|pixel| rows.extend(pixel));
        }
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        // Into memory: it does not fail.
        let encoded = encoder.write_all(&rows).and_then(|()| encoder.finish()).unwrap_or_default();
        chunk(&mut png, b"IDAT", &encoded);
        chunk(&mut png, b"IEND", &[]);
        png
    }
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend((data.len() as u32).to_be_bytes());
    let begin = png.len();
    png.extend(kind);
    png.extend(data);
    let checksum = crc32fast::hash(&png[begin..]);
    png.extend(checksum.to_be_bytes());
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let is_there = digit <= three.len();
            text.push(if is_there { DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char } else { '=' });
        }
    }
    text
}

/// Black to white by the root, for counts from 0 to `most`; grey-blue where no pixel counts.
pub(crate) fn intensity(value: f32, most: f32) -> [u8; 3] {
    if value.is_nan() {
        return [70, 80, 110];
    }
    let part = (value / most.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0).sqrt();
    [(255.0 * part) as u8; 3]
}

/// Blue for negative, white for 0, red for positive, up to `most`.
pub(super) fn signed(value: f32, most: f32) -> [u8; 3] {
    let part = (value / most.max(f32::MIN_POSITIVE)).clamp(-1.0, 1.0);
    let mix = |end: [f32; 3]| end.map(|end| (247.0 + (end - 247.0) * part.abs()) as u8);
    if part < 0.0 { mix([33.0, 102.0, 172.0]) } else { mix([178.0, 24.0, 43.0]) }
}

/// Dark blue to yellow, for 0 to `most`.
pub(super) fn heat(value: f64, most: f64) -> [u8; 3] {
    const COLOURS: [[f64; 3]; 5] =
        [[68.0, 1.0, 84.0], [59.0, 82.0, 139.0], [33.0, 145.0, 140.0], [94.0, 201.0, 98.0], [253.0, 231.0, 37.0]];
    let place = (value / most.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0) * 4.0;
    let (at, part) = ((place as usize).min(3), place - (place as usize).min(3) as f64);
    std::array::from_fn(|i| (COLOURS[at][i] + (COLOURS[at + 1][i] - COLOURS[at][i]) * part) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_png_has_its_pixels() {
        let picture = Picture { height: 2, width: 1, rgb: vec![[1, 2, 3], [4, 5, 6]] };
        let png = picture.png();
        let at = png.windows(4).position(|four| four == b"IDAT").unwrap() + 4;
        let mut rows = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&png[at..]), &mut rows).unwrap();
        assert_eq!(rows, [0, 1, 2, 3, 0, 4, 5, 6]);
    }

    #[test]
    fn colours_have_their_ends() {
        assert_eq!((intensity(0.0, 9.0), intensity(9.0, 9.0)), ([0; 3], [255; 3]));
        assert_eq!((signed(0.0, 1.0), signed(-5.0, 1.0), signed(5.0, 1.0)), ([247; 3], [33, 102, 172], [178, 24, 43]));
        assert_eq!((heat(0.0, 1.0), heat(2.0, 1.0)), ([68, 1, 84], [253, 231, 37]));
    }
}
