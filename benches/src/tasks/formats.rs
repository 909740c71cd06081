//! Which formats run on an input, and who implements each.

use std::rc::Rc;

use serde_json::Value;

use darkchunk::Exec;
use darkchunk::Threads;
use darkchunk::codec::{self, Codec};
use darkchunk::cpu::Level;

use crate::inputs::Input;
use crate::peers::bitshuffle::{Bitshuffle, Compressor};
use crate::peers::blosc::{self, Settings};
use crate::peers::{Coder, Loaded, libraries};
use crate::tasks::Group;
use crate::{Failure, ours};

/// The peers' libraries, loaded once.
pub struct Peers {
    lz4: Vec<Rc<Bitshuffle>>,
    zstd: Vec<Rc<Bitshuffle>>,
    blosc: Vec<Loaded>,
}

/// Keys of the list of peers. The first build is the one whose chunks all decode.
const BITSHUFFLE: [&str; 3] = ["bitshuffle_native", "bitshuffle_wheel", "hdf5plugin_bitshuffle"];
const BLOSC: [&str; 2] = ["blosc_native", "hdf5plugin_blosc"];

impl Peers {
    /// Loads what `list` names.
    ///
    /// # Errors
    /// Where one is missing.
    pub fn load(list: &Value) -> Result<Self, Failure> {
        let bitshuffle = |compressor| -> Result<Vec<_>, Failure> {
            BITSHUFFLE.iter().map(|key| Bitshuffle::new(Loaded::open(list, key)?, compressor)).collect()
        };
        Ok(Self {
            lz4: bitshuffle(Compressor::Lz4)?,
            zstd: bitshuffle(Compressor::Zstd(1))?,
            blosc: BLOSC.iter().map(|key| Loaded::open(list, key)).collect::<Result<_, _>>()?,
        })
    }

    /// The formats that every input is put through, peers first.
    ///
    /// # Errors
    /// Where a codec refuses its parameters or a library lacks a function.
    pub fn groups(&self, input: &Input, levels: &[Level]) -> Result<Vec<Group>, Failure> {
        let n_bytes = input.frames.frame_bytes();
        let element_bytes = input.element.n_bytes;
        let bitshuffle = |peers: &[Rc<Bitshuffle>]| -> Vec<Coder> {
            peers.iter().map(|peer| peer.coder(n_bytes, element_bytes)).collect()
        };
        let blosc = |shuffle| self.blosc(input, shuffle, 1);
        let lz4 = vec![libraries::lz4(n_bytes)];
        let zstd = vec![libraries::zstd(n_bytes, 1)];
        Ok(vec![
            group::<codec::bitshuffle::Bitshuffle>("bitshuffle-lz4", bitshuffle(&self.lz4), &[0, 2], input, levels)?,
            group::<codec::bitshuffle::Bitshuffle>(
                "bitshuffle-zstd-1",
                bitshuffle(&self.zstd),
                &[0, 3, 1],
                input,
                levels,
            )?,
            group::<codec::blosc::Blosc>("blosc-shuffle-lz4", blosc(1)?, &[0, 0, 0, 0, 5, 1, 1], input, levels)?,
            group::<codec::blosc::Blosc>("blosc-bitshuffle-lz4", blosc(2)?, &[0, 0, 0, 0, 5, 2, 1], input, levels)?,
            group::<codec::lz4::Lz4>("lz4", lz4, &[], input, levels)?,
            group::<codec::zstd::Zstd>("zstd-1", zstd, &[1], input, levels)?,
        ])
    }

    /// The formats of which one frame has parts, ours with one thread and with `n_threads`. Of the peers c-blosc is there;
    /// C bitshuffle has its threads from OpenMP, for the whole process, and LZ4 and Zstd have none. Not DRLE: a frame of
    /// 2 MiB is not worth a second thread to it.
    ///
    /// # Errors
    /// As [`groups`](Self::groups).
    pub fn threaded(&self, input: &Input, level: Level, n_threads: usize) -> Result<Vec<Group>, Failure> {
        use codec::bitshuffle::Bitshuffle;
        use codec::blosc::Blosc;
        use codec::lz4::Lz4;
        let blosc = |shuffle| self.blosc(input, shuffle, n_threads as i32);
        let execs = [1, n_threads].map(|n| Exec { level, threads: Threads::new(n) });
        Ok(vec![
            threaded::<Bitshuffle>("bitshuffle-lz4", Vec::new(), &[0, 2], input, execs)?,
            threaded::<Bitshuffle>("bitshuffle-zstd-1", Vec::new(), &[0, 3, 1], input, execs)?,
            threaded::<Blosc>("blosc-shuffle-lz4", blosc(1)?, &[0, 0, 0, 0, 5, 1, 1], input, execs)?,
            threaded::<Blosc>("blosc-bitshuffle-lz4", blosc(2)?, &[0, 0, 0, 0, 5, 2, 1], input, execs)?,
            threaded::<Lz4>("lz4, blocks of 64 KiB", Vec::new(), &[64 << 10], input, execs)?,
        ])
    }

    fn blosc(&self, input: &Input, shuffle: i32, threads: i32) -> Result<Vec<Coder>, Failure> {
        let (n_bytes, element_bytes) = (input.frames.frame_bytes(), input.element.n_bytes);
        let settings = Settings { level: 5, shuffle, compressor: "lz4", threads };
        self.blosc.iter().map(|peer| blosc::coder(peer, settings, n_bytes, element_bytes)).collect()
    }
}

/// DRLE, which has no peer: the container, on frames whose noise is still on where the input has them.
///
/// # Errors
/// Where the codec refuses its parameters.
pub fn drle(input: &Input, threshold: u16, levels: &[Level]) -> Result<Group, Failure> {
    group::<codec::drle::Drle>("drle", Vec::new(), &[u32::from(threshold)], input, levels)
}

/// `peers`, and ours at every one of `levels`.
fn group<C: Codec + 'static>(
    name: &str,
    mut peers: Vec<Coder>,
    cd_values: &[u32],
    input: &Input,
    levels: &[Level],
) -> Result<Group, Failure> {
    for level in levels {
        peers.push(ours::coder::<C>(cd_values, &input.layout(), (*level).into())?);
    }
    Ok(Group { name: name.into(), coders: peers })
}

/// `peers`, and ours by each of `execs`.
fn threaded<C: Codec + 'static>(
    name: &str,
    mut peers: Vec<Coder>,
    cd_values: &[u32],
    input: &Input,
    execs: [Exec; 2],
) -> Result<Group, Failure> {
    for exec in execs {
        peers.push(ours::coder::<C>(cd_values, &input.layout(), exec)?);
    }
    Ok(Group { name: name.into(), coders: peers })
}
