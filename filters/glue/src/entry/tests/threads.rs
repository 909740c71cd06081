//! Threads within a chunk, as a plugin's user asks for them. The variable is read once a process, so each test has one.

use darkchunk::codec::{ChunkLayout, Codec, DecodedSize, OpenChunk, bitshuffle::Bitshuffle};
use darkchunk::element::ElementType;
use darkchunk::{Exec, Result, Threads};

use super::{Host, pixels};
use darkchunk_hdf5_abi::constants::H5Z_FLAG_REVERSE;

/// A codec that notes how many threads it may use, and fails in one of them.
struct Helped;

impl Codec for Helped {
    const FILTER_ID: u32 = 301;
    const SHORT_NAME: &'static str = Self::NAME;
    const NAME: &'static str = "helped";

    type Open<'a> = OpenHelped;

    fn localise(_: &[u32], _: &ChunkLayout) -> Result<Vec<u32>> {
        Ok(Vec::new())
    }

    fn from_cd_values(_: &[u32]) -> Result<Self> {
        Ok(Self)
    }

    fn chunk_bytes(&self) -> Option<usize> {
        None
    }

    fn max_encoded_len(&self, n_bytes: usize) -> usize {
        n_bytes
    }

    fn encode(&self, exec: Exec, _: &[u8], dst: &mut [u8]) -> Result<usize> {
        dst[0] = exec.threads.n_threads() as u8;
        Ok(1)
    }

    fn open<'a>(&'a self, src: &'a [u8]) -> Result<OpenHelped> {
        Ok(OpenHelped(src.len()))
    }
}

struct OpenHelped(usize);

impl OpenChunk for OpenHelped {
    fn decoded_size(&self) -> Result<DecodedSize> {
        Ok(DecodedSize::Exactly(self.0))
    }

    fn decode(&self, _: Exec, _: &mut [u8]) -> Result<()> {
        // Neither thread has both parts.
        let both = std::sync::Barrier::new(2);
        let work = |()| {
            both.wait();
            assert!(!Threads::is_helper(), "in a helper");
        };
        Threads::new(2).run(vec![(), ()], || work);
        Ok(())
    }
}

/// Runs one of the tests below in a process of its own, where `DARKCHUNK_THREADS` is 2. Returns what it printed.
#[cfg(target_os = "linux")]
fn with_two_threads(test: &str) -> String {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args([&format!("entry::tests::threads::{test}"), "--exact", "--ignored", "--nocapture"]);
    let done = command.env("DARKCHUNK_THREADS", "2").env_remove("RUST_BACKTRACE").output().unwrap();
    let (printed, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && printed.contains("1 passed"), "{printed}{errors}");
    errors.into_owned()
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "Miri starts no processes")]
fn the_variable_gives_a_chunk_threads() {
    with_two_threads("in_a_process_of_two_threads");
}

#[test]
#[ignore = "run by another test"]
fn in_a_process_of_two_threads() {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(2);
    let mut host = Host::holding(&[0; 8], 8);
    assert_eq!(host.call::<Helped>(0, &[], 8), 1);
    assert_eq!(host.bytes(), [n_threads as u8]);

    let pixels: Vec<u8> = pixels().repeat(400);
    let layout = ChunkLayout::new(ElementType::I16, vec![1600, 50, 60]);
    let values = Bitshuffle::localise(&[0, 2], &layout).unwrap();
    let codec = Bitshuffle::from_cd_values(&values).unwrap();
    let mut expected = vec![0; codec.max_encoded_len(pixels.len())];
    let n_stored = codec.encode(Exec::current(), &pixels, &mut expected).unwrap();
    let mut host = Host::holding(&pixels, pixels.len());
    assert_eq!(host.call::<Bitshuffle>(0, &values, pixels.len()), n_stored);
    assert!(host.bytes() == &expected[..n_stored]);
    assert_eq!(host.call::<Bitshuffle>(H5Z_FLAG_REVERSE, &values, n_stored), pixels.len());
    assert!(host.bytes() == pixels);
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "Miri starts no processes")]
fn a_panic_of_a_helping_thread_is_a_failure_like_any_other() {
    let errors = with_two_threads("in_a_process_where_a_helper_panics");
    assert!(!errors.contains("in a helper"), "a plugin prints nothing: {errors}");
}

#[test]
#[ignore = "run by another test"]
fn in_a_process_where_a_helper_panics() {
    crate::prepare();
    Host::holding(&[3; 64], 64).fails::<Helped>(H5Z_FLAG_REVERSE, &[], 64);
    let text = crate::guard::guard(|| Helped.decode(Exec::current(), &[], &mut []).map_err(|error| error.to_string()))
        .unwrap_err();
    assert!(text.contains("please report it: in a helper"), "{text}");
}
