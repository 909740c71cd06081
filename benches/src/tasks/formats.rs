//! Which formats run on an input, and who implements each.

use std::rc::Rc;

use serde_json::Value;

use crate::Failure;
use crate::inputs::Input;
use crate::peers::bitshuffle::{Bitshuffle, Compressor};
use crate::peers::blosc::{self, Settings};
use crate::peers::{Loaded, libraries};
use crate::tasks::Group;

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
    pub fn groups(&self, input: &Input) -> Result<Vec<Group>, Failure> {
        let n_bytes = input.frames.frame_bytes();
        let element_bytes = input.element.n_bytes;
        let bitshuffle = |name: &str, peers: &[Rc<Bitshuffle>]| Group {
            name: name.into(),
            coders: peers.iter().map(|peer| peer.coder(n_bytes, element_bytes)).collect(),
        };
        let blosc = |name: &str, shuffle| -> Result<Group, Failure> {
            let settings = Settings { level: 5, shuffle, compressor: "lz4", threads: 1 };
            let coders = self.blosc.iter().map(|peer| blosc::coder(peer, settings, n_bytes, element_bytes));
            Ok(Group { name: name.into(), coders: coders.collect::<Result<_, _>>()? })
        };
        Ok(vec![
            bitshuffle("bitshuffle-lz4", &self.lz4),
            bitshuffle("bitshuffle-zstd-1", &self.zstd),
            blosc("blosc-shuffle-lz4", 1)?,
            blosc("blosc-bitshuffle-lz4", 2)?,
            Group { name: "lz4".into(), coders: vec![libraries::lz4(n_bytes)] },
            Group { name: "zstd-1".into(), coders: vec![libraries::zstd(n_bytes, 1)] },
        ])
    }
}
