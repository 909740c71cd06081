//! Our codecs as contestants: through [`Codec`], as the plugins call them, at a given kernel level.

use darkchunk::Exec;
use darkchunk::codec::{ChunkLayout, Codec};

use crate::Failure;
use crate::peers::Coder;
use crate::report::OURS;

/// A codec with the `cd_values` a user would give, on chunks of `layout`, by `exec`.
///
/// # Errors
/// Where the codec refuses the parameters.
///
/// # Panics
/// Not here; what stands in the races does, where the codec fails.
pub fn coder<C: Codec + 'static>(user_values: &[u32], layout: &ChunkLayout, exec: Exec) -> Result<Coder, Failure> {
    let cd_values = C::localise(user_values, layout)?;
    let (codec, decoder) = (C::from_cd_values(&cd_values)?, C::from_cd_values(&cd_values)?);
    let n_bytes = layout.chunk_bytes()? as usize;
    Ok(Coder {
        by: OURS.into(),
        level: exec.level.isa().name().into(),
        threads: exec.threads.n_threads(),
        max_encoded_len: codec.max_encoded_len(n_bytes),
        encode: Box::new(move |src, dst| codec.encode(exec, src, dst).unwrap_or_else(|e| panic!("encode: {e}"))),
        decode: Box::new(move |src, dst| {
            decoder.decode(exec, src, dst).unwrap_or_else(|e| panic!("decode: {e}"));
        }),
    })
}
