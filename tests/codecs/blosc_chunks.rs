//! Blosc chunks as c-blosc wrote them, and chunks that nobody should have written.
//!
//! The golden chunks were written by c-blosc 1.21.7 (`blosc_compress_ctx`, one thread, default split mode), those of
//! Snappy by the hdf5plugin wheel. They may never stop decoding.

use darkchunk::codec::Codec;
use darkchunk::codec::blosc::{Blosc, Chunk, Compressor, Shuffle};
use darkchunk::cpu::Level;
use darkchunk::{Error, Exec};

struct Golden {
    what: &'static str,
    decoded: fn() -> Vec<u8>,
    chunk: &'static str,
}

/// Little-endian 16-bit numbers that climb by 3 every 5.
fn ramp(n_bytes: usize) -> Vec<u8> {
    (0..n_bytes / 2).flat_map(|i| ((i / 5 * 3) as u16).to_le_bytes()).collect()
}

/// Zeros, and another byte every `period`.
fn sparse(n_bytes: usize, period: usize) -> Vec<u8> {
    (0..n_bytes).map(|i| if i % period == 0 { (i / period % 200 + 1) as u8 } else { 0 }).collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes().as_chunks::<2>().0.iter().map(|[a, b]| digit(*a) << 4 | digit(*b)).collect()
}

fn digit(hex: u8) -> u8 {
    char::from(hex).to_digit(16).expect("a hexadecimal digit") as u8
}

fn decode_at(level: Level, chunk: &[u8]) -> Result<Vec<u8>, Error> {
    let codec = Blosc::from_cd_values(&[]).unwrap();
    let mut dst = vec![0xdd; codec.decoded_len(chunk)?];
    codec.decode(level.into(), chunk, &mut dst)?;
    Ok(dst)
}

#[test]
fn what_c_blosc_wrote_decodes_at_every_level() {
    for golden in GOLDEN {
        for &level in Level::available() {
            let decoded = decode_at(level, &from_hex(golden.chunk)).expect(golden.what);
            assert!(decoded == (golden.decoded)(), "{} at {level:?}", golden.what);
        }
    }
}

/// A chunk of 1000 elements of int16 in blocks of 500 bytes, one stream each.
fn four_blocks() -> Vec<u8> {
    let streams: Vec<Vec<u8>> = (0..4).map(|block| vec![block + 1; 500]).collect();
    let mut chunk = vec![2, 1, 0x10 | 1 << 5, 2];
    chunk.extend([2000_u32, 500, 16 + 16 + 4 * 504].iter().flat_map(|n| n.to_le_bytes()));
    chunk.extend((0..4).flat_map(|block| (32 + 504 * block as u32).to_le_bytes()));
    for stream in streams {
        chunk.extend(500_u32.to_le_bytes());
        chunk.extend(stream);
    }
    chunk
}

fn with_u32(mut chunk: Vec<u8>, at: usize, value: u32) -> Vec<u8> {
    chunk[at..at + 4].copy_from_slice(&value.to_le_bytes());
    chunk
}

#[test]
fn a_chunk_may_hold_its_blocks_in_any_order() {
    let level = Level::current();
    let decoded = decode_at(level, &four_blocks()).unwrap();
    assert!(decoded.chunks(500).zip(1..).all(|(block, value)| block == [value; 500]));
    let swapped = with_u32(with_u32(four_blocks(), 16, 32 + 504), 20, 32);
    let decoded = decode_at(level, &swapped).unwrap();
    assert!(decoded[..500] == [2; 500] && decoded[500..1000] == [1; 500]);
}

#[test]
fn what_a_header_or_table_must_not_say_is_an_error() {
    let sound = four_blocks();
    let values = [0, 1, 15, 16, 31, 2047, 2049, 0x7fff_ffef, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    let cases = [
        ("decoded size", 4, &values[..]),
        ("block size", 8, &values),
        ("chunk size", 12, &[0, 1, 15, 16, 31, 2047, 2049, u32::MAX]),
        ("start of a block", 16, &values),
        ("length of a stream", 32, &[0, 499, 501, 1996, 0x7fff_ffff, 0x8000_0000, u32::MAX]),
    ];
    for (what, at, values) in cases {
        for &value in values {
            let damaged = with_u32(sound.clone(), at, value);
            assert!(decode_at(Level::current(), &damaged).is_err(), "{what} = {value}");
            for n_bytes in [0, 1, 2000] {
                let mut dst = vec![0; n_bytes];
                let codec = Blosc::from_cd_values(&[2, 2, 2, n_bytes as u32]).unwrap();
                assert!(
                    codec.decode(Exec::current(), &damaged, &mut dst).is_err() || (n_bytes == 0 && value == 0),
                    "{what} = {value}"
                );
            }
        }
    }
    for (what, at, value) in [
        ("format version", 0, 3),
        ("compressor version", 1, 2),
        ("later flag", 2, 0x38),
        ("compressor", 2, 0xb0),
        ("element size", 3, 0),
    ] {
        let mut damaged = sound.clone();
        damaged[at] = value;
        assert!(decode_at(Level::current(), &damaged).is_err(), "{what}");
    }
}

#[test]
fn blocks_that_overlap_are_refused_as_a_whole_and_read_one_by_one() {
    // All four are the first one, which is no more than the chunk has.
    let mut chunk = four_blocks();
    for at in [20, 24, 28] {
        chunk = with_u32(chunk, at, 32);
    }
    assert!(matches!(decode_at(Level::current(), &chunk), Err(Error::Corrupt { .. })));
    let bomb = with_u32(chunk[..32 + 504].to_vec(), 12, 32 + 504);
    assert!(matches!(decode_at(Level::current(), &bomb), Err(Error::Corrupt { .. })));
    let mut dst = [0; 500];
    Chunk::new(&bomb).unwrap().decode_block_at(Level::current(), 3, &mut dst).unwrap();
    assert_eq!(dst, [1; 500]);
}

#[test]
fn a_decoded_size_that_the_bytes_cannot_hold_is_refused_before_it_is_allocated() {
    for compressor in Compressor::ALL {
        let codec = Blosc::new(compressor, Shuffle::None, 5, 1).unwrap();
        let mut chunk = vec![0; 2016];
        let n_bytes = codec.encode(Exec::current(), &[0; 2000], &mut chunk).unwrap();
        let claim = 0x7fff_ffef;
        let bomb = with_u32(with_u32(chunk[..n_bytes].to_vec(), 4, claim), 8, claim);
        assert!(matches!(codec.decoded_len(&bomb), Err(Error::Corrupt { at: 4, .. })), "{compressor:?}");
    }
}

const GOLDEN: &[Golden] = &[
    Golden {
        what: "blosclz, byte shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            02010102800200008002000069010000140000004001000000000000000303030303060606060609090909090c0c0c0c0c0f\
            0f0f0f0f1212121212151515151518181818181b1b1b1b1b1e1e1e1e1e2121212121242424242427272727272a2a2a2a2a2d\
            2d2d2d2d30303030303333333333363636363639393939393c3c3c3c3c3f3f3f3f3f4242424242454545454548484848484b\
            4b4b4b4b4e4e4e4e4e5151515151545454545457575757575a5a5a5a5a5d5d5d5d5d60606060606363636363666666666669\
            696969696c6c6c6c6c6f6f6f6f6f7272727272757575757578787878787b7b7b7b7b7e7e7e7e7e8181818181848484848487\
            878787878a8a8a8a8a8d8d8d8d8d90909090909393939393969696969699999999999c9c9c9c9c9f9f9f9f9fa2a2a2a2a2a5\
            a5a5a5a5a8a8a8a8a8abababababaeaeaeaeaeb1b1b1b1b1b4b4b4b4b4b7b7b7b7b7babababababdbdbdbdbd0d0000002300\
            000000e0ff310302000000",
    },
    Golden {
        what: "blosclz, bit shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            02010402800200008002000097000000140000006e00000024e0830f3ef8e01b04047f00fe07e0e0190404007cf03ff8e01b\
            040980ff3f00ff7f00c0ff00e01509110000c0ffff7f000000ffffff3f000080ffffe00f130000801d80270000803100ff80\
            3b0000604500ff803be0010101c0ffe00200007fe00117e014010080e0023301ffff0d0000002300000000e0ff3103020000\
            00",
    },
    Golden {
        what: "lz4, byte shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            0201210280020000800200002b010000140000000301000010000100100301001006010010090100100c0100100f01001012\
            01001015010010180100101b0100101e0100102101001024010010270100102a0100102d0100103001001033010010360100\
            10390100103c0100103f0100104201001045010010480100104b0100104e0100105101001054010010570100105a0100105d\
            010010600100106301001066010010690100106c0100106f0100107201001075010010780100107b0100107e010010810100\
            1084010010870100108a0100108d010010900100109301001096010010990100109c0100109f010010a2010010a5010010a8\
            010010ab010010ae010010b1010010b4010010b70100a0babababababdbdbdbdbd0c0000001f000100ff28500000000000",
    },
    Golden {
        what: "lz4, bit shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            020124028002000080020000a000000014000000780000005fe0830f3ef80500114f7f00fe070500105f007cf03ff8050011\
            9f80ff3f00ff7f00c0ff0a000cff030000c0ffff7f000000ffffff3f000080ffff140005b200000080ffffffffffff3f0e00\
            11ff0100117f0c00004600000200020d0003020010c012000402000328000f02000e1480310050ffffffffff0c0000001f00\
            0100ff28500000000000",
    },
    Golden {
        what: "lz4hc, byte shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            0201210280020000800200002b010000140000000301000010000100100301001006010010090100100c0100100f01001012\
            01001015010010180100101b0100101e0100102101001024010010270100102a0100102d0100103001001033010010360100\
            10390100103c0100103f0100104201001045010010480100104b0100104e0100105101001054010010570100105a0100105d\
            010010600100106301001066010010690100106c0100106f0100107201001075010010780100107b0100107e010010810100\
            1084010010870100108a0100108d010010900100109301001096010010990100109c0100109f010010a2010010a5010010a8\
            010010ab010010ae010010b1010010b4010010b70100a0babababababdbdbdbdbd0c0000001f000100ff28500000000000",
    },
    Golden {
        what: "lz4hc, bit shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            02012402800200008002000092000000140000006a0000005fe0830f3ef80500114f7f00fe070500105f007cf03ff8050011\
            9f80ff3f00ff7f00c0ff0a000cff030000c0ffff7f000000ffffff3f000080ffff14000512000a0002140012001e0012ff28\
            0002320015ff2800190014000928000f01000e03640070ffffffffffffff0c0000001f000100ff28500000000000",
    },
    Golden {
        what: "snappy, byte shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            020141028002000080020000620200001400000006010000c00200000101000301010006010100090101000c0101000f0101\
            001201010015010100180101001b0101001e0101002101010024010100270101002a0101002d010100300101003301010036\
            010100390101003c0101003f0101004201010045010100480101004b0101004e0101005101010054010100570101005a0101\
            005d010100600101006301010066010100690101006c0101006f0101007201010075010100780101007b0101007e01010081\
            01010084010100870101008a0101008d010100900101009301010096010100990101009c0101009f010100a2010100a50101\
            00a8010100ab010100ae010100b1010100b4010138b7b7b7b7b7babababababdbdbdbdbd4001000000000000000000000000\
            0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
            0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
            0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
            0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
            0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
            0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
            00000000000000000000",
    },
    Golden {
        what: "snappy, bit shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            020144028002000080020000a40000001400000075000000c00210e0830f3ef88e05000c7f00fe078a050010007cf03ff88e\
            05002080ff3f00ff7f00c0ff7a0a00480000c0ffff7f000000ffffff3f000080ffffff5a14000000091e00ff0528010100ff\
            0501013c00000546010100002e010000c0011211010d288201003480ffffffffffffffffffffffffff13000000c0020000fe\
            0100fe0100fe0100fe0100fa0100",
    },
    Golden {
        what: "zlib, byte shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            020161028002000080020000a7000000140000007e000000785e15c1016602000000c0881811112322222222222222222222\
            2222628c88888888888888888888888888fe567717087c0509f14398085162fc1227419214693264c991a7409112652a54a9\
            51a74193166d3a74e9d167c01fff0c193166c2941973162c59b166c3961d7b0e1c3971e6c2951b771e3c79f1e60314bf7621\
            0d000000785e6360180594000001400001",
    },
    Golden {
        what: "zlib, bit shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            0201640280020000800200007c0000001400000053000000785e7bd0cc6ff7e30111443dc33f762208869a0ff63f88211afe\
            db33fcaf6738f09f008b014800590c0cffff03c58012ff718931405810310688ec7f883a888eff70750c286228ea08820664\
            4dff0172db93e30d000000785e6360180594000001400001",
    },
    Golden {
        what: "zstd, byte shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            0201910280020000800200007b000000140000006300000028b52ffd608001cd0200540400000000000306090c0f1215181b\
            1e2124272a2d303336393c3f4245484b4e5154575a5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8abaeb1\
            b4b7babd00409810f09b010012e0afffffff1d3c22c029",
    },
    Golden {
        what: "zstd, bit shuffle, int16",
        decoded: || ramp(640),
        chunk: "\
            0201940280020000800200007b000000140000006300000028b52ffd608001cd02000403e0830f3ef87f00fe07007cf03ff8\
            80ff3f00ff7f00c0ff0000c0ffff7f000000ffffff3f000080ffff0000ffff0080ff1120d082b97a23546003e410c6c801f7\
            b945e1cab0d560e1900fa886eb06436964e4239983cc5a",
    },
    Golden {
        what: "blosclz, three split blocks, the last shorter",
        decoded: || sparse(140_002, 7001),
        chunk: "\
            02010102e222020000000100190300001c0000007d010000e1020000aa000000240100000000e0ffffffffffffffffffffff\
            ffffffffffffffffffffffffffffffff6500010003fbffffffffffffffffffffffffffffffffffffffffffffffffffffff65\
            540600000000000500e0ffffffffffffffffffffffffffffffffffffffffffffffffffffff6800010007fbffffffffffffff\
            ffffffffffffffffffffffffffffffffffffffff68570300000900e0ffffffffffffffffffffffffffffffffffffa0000200\
            0000af0000002300000000e0ffffffffffffffffffffffffffab03010002edffffffffffffffffffffffffffaba8e0ffffff\
            ffffffffffffffffffffb401010004edffffffffffffffffffffffffffb4b1e0ffffffffffffffffffffffffffab01010006\
            edffffffffffffffffffffffffffaba8e0ffffffffffffffffffffffffffb401010008edffffffffffffffffffffffffffb4\
            b1e0ffffffffffffffffffffffffffab0101000aedffffffffe7a802000000b20000002300000000e0ffffffffffffffffb7\
            0301000be8ffffffffffffffffb7b9e0ffffffffffffffffffffffffffffffffffffa80101000df2ffffffffffffffffffff\
            ffffffffffffffffa8a0e0ffffffffffffffffb70101000fe8ffffffffffffffffb7b9e0ffffffffffffffffffffffffffff\
            ffffffffa801010011f2ffffffffffffffffffffffffffffffffffffa8a0e0ffffffffffffffffb701010013e8ffffffffff\
            ffffffb7b9e0ff1b0102000000aa0000002300000000e0ffffffffffffffffffffffffffffffffffffffffffff710301000c\
            f6ffffffffffffffffffffffffffffffffffffffffffff7165e0ffffffffee0101000ee4ffffffffeef4e0ffffffffffffff\
            ffffffffffffffffffffffffffffff7101010010f6ffffffffffffffffffffffffffffffffffffffffffff7165e0ffffffff\
            ee01010012e4ffffffffeef4e0ffffffffffffffffffffffffffffffffffff9e0102000000340000002300000000e0ffffff\
            ffffffffffffffffffffffffffffffffffff4503010014f5ffffffffffffffffffffffffffa43a02000000",
    },
    Golden {
        what: "lz4, two split blocks of int32, the last shorter",
        decoded: || sparse(150_004, 9001),
        chunk: "\
            02012104f4490200000001004a0300001c00000081010000e5020000500000002f01000100ffffffffffffffffffffffffff\
            ffffffffffffffffffffffffffffffffffffffffffff371f052823ffffffffffffffffffffffffffffffffffffffffffffff\
            ffffffffffda500000000000570000001f000100ffffffffffffffffbe1f02ca08ffffffffffffffffbe0f0200ffffffffff\
            ffffffffffffffffffffffffffffffffffffffffff661f06601affffffffffffffffffffffffffffffffffffffff08500000\
            000000570000001f000100ffffffffffffffffffffffffffffffffff911f039411ffffffffffffffffffffffffffffffffff\
            910f0200ffffffffffffffffffffffffffffffffff931f079611ffffffffffffffffffffff35500000000000570000001f00\
            0100ffffffffffffffffffffffffffffffffffffffffffffffffffff641f045e1affffffffffffffffffffffffffffffffff\
            ffffffffffffffffff640f0200ffffffffffffffffc01f08cc08ffff62500000000000570000001f000100ffffffffffff44\
            1f095206ffffffffffff440f0200ffffffffffffffffffffffffffffffffffffffffffffffffffffffffe01f0dd81cffffff\
            ffffffffffffffffffffffffffffffffffffff82500000000000580000001f000100ffffffffffffffffffffffffffffff17\
            1f0a1c0fffffffffffffffffffffffffffffff170f0200ffffffffffffffffffffffffffffffffffffffff0e1f0e0e14ffff\
            ffffffffffffffffffffffaf500000000000560000001f000100ffffffffffffffffffffffffffffffffffffffffffffffe9\
            1f0be617ffffffffffffffffffffffffffffffffffffffffffffffe90f0200ffffffffffffffffffffff3b1f0f440bffffff\
            ffdc5000000000004f0000001f000100ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffbc1f\
            0cb020ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff56500000000000610000001f000100ff\
            ffffffffffffffffffffff9c1f11a40cffffffffffffffffffffffff9c0f0200ffffffffffffffffffffffffffffffffffff\
            ffffffffffffffffffffffffffffffff171f100922ffffffffffffffffffffffffffff99500000000000",
    },
    Golden {
        what: "blosclz, bit shuffle of a block that is no multiple of 8 elements",
        decoded: || ramp(1302),
        chunk: "\
            020104021605000016050000b9020000140000004e01000023000000008003010300c001010600c001010900c001010c00c0\
            01010f00c001011200c001011500c001011800c001011b00c001011e00c001012100c001012400c001012700c001012a00c0\
            01012d00c001013000c001013300c001013600c001013900c001013c00c001013f00c001014200c001014500c001014800c0\
            01014b00c001014e00c001015100c001015400c001015700c001015a00c001015d00c001016000c001016300c001016600c0\
            01016900c001016c00c001016f00c001017200c001017500c001017800c001017b00c001017e00c001018100c001018400c0\
            01018700c001018a00c001018d00c001019000c001019300c001019600c001019900c001019c00c001019f00c00101a200c0\
            0101a500c00101a800c00101ab00c00101ae00c00101b100c00101b400c00101b700c00101ba00c00101bd00c0010ac000c0\
            00c000c000c000c34f0100002300c300c3600301c600c00101c900c00101cc00c00101cf00c00101d200c00101d500c00101\
            d800c00101db00c00101de00c00101e100c00101e400c00101e700c00101ea00c00101ed00c00101f000c00101f300c00101\
            f600c00101f900c00101fc00c00101ff00c001010201c001010501c001010801c001010b01c001010e01c001011101c00101\
            1401c001011701c001011a01c001011d01c001012001c001012301c001012601c001012901c001012c01c001012f01c00101\
            3201c001013501c001013801c001013b01c001013e01c001014101c001014401c001014701c001014a01c001014d01c00101\
            5001c001015301c001015601c001015901c001015c01c001015f01c001016201c001016501c001016801c001016b01c00101\
            6e01c001017101c001017401c001017701c001017a01c001017d01c001018001c0010b830183018301830183018601",
    },
    Golden {
        what: "level 0, a plain copy",
        decoded: || ramp(64),
        chunk: "\
            0201330240000000400000005000000000000000000000000000030003000300030003000600060006000600060009000900\
            0900090009000c000c000c000c000c000f000f000f000f000f0012001200",
    },
];
