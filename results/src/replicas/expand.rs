//! Decompression, up to a limit: what a batch expands to is not for the batch to decide.

use super::records::Codec;
use std::io::Read;

/// Largest expanded batch.
pub const EXPANDED_BYTES_MAX: u64 = 256 << 20;
/// Begins xerial's frames (snappy-java): magic, version 1, oldest reader 1; then blocks, each with its length, i32.
const XERIAL: &[u8; 16] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";

/// The expanded bytes; `None` if they are not of this codec, or too many.
pub fn expand(bytes: &[u8], codec: Codec) -> Option<Vec<u8>> {
    match codec {
        Codec::Plain => Some(bytes.to_vec()),
        Codec::Gzip => read_all(flate2::read::MultiGzDecoder::new(bytes)),
        Codec::Lz4 => read_all(lz4::Decoder::new(bytes).ok()?),
        Codec::Zstd => read_all(zstd::stream::read::Decoder::with_buffer(bytes).ok()?),
        Codec::Snappy => match bytes.strip_prefix(XERIAL) {
            Some(blocks) => xerial(blocks),
            None => {
                let mut out = Vec::new();
                snappy(bytes, &mut out).map(|()| out)
            }
        },
        Codec::Other => None,
    }
}

fn read_all(from: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    from.take(EXPANDED_BYTES_MAX + 1).read_to_end(&mut out).ok()?;
    (out.len() as u64 <= EXPANDED_BYTES_MAX).then_some(out)
}

fn xerial(mut blocks: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while !blocks.is_empty() {
        let (length, rest) = blocks.split_first_chunk()?;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        snappy(block, &mut out)?;
        blocks = rest;
    }
    Some(out)
}

/// Snappy writes at most 64 bytes for each 3 it reads: a block that promises more lies.
fn snappy(block: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let length = snap::raw::decompress_len(block).ok()?;
    let start = out.len();
    let end = start.checked_add(length)?;
    if end as u64 > EXPANDED_BYTES_MAX || length > block.len().saturating_mul(64) {
        return None;
    }
    out.resize(end, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[start..]).ok()?;
    (written == length).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_bomb_is_not_expanded_beyond_the_limit() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..=EXPANDED_BYTES_MAX >> 20 {
            gzip.write_all(&zeros).unwrap();
            zstd.write_all(&zeros).unwrap();
        }
        assert_eq!(expand(&gzip.finish().unwrap(), Codec::Gzip), None);
        assert_eq!(expand(&zstd.finish().unwrap(), Codec::Zstd), None);
    }

    #[test]
    fn a_snappy_block_that_promises_gigabytes_allocates_none() {
        let promise = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0];
        assert_eq!(expand(&promise, Codec::Snappy), None);
        let frames = [XERIAL.as_slice(), &7u32.to_be_bytes(), &promise].concat();
        assert_eq!(expand(&frames, Codec::Snappy), None);
    }

    #[test]
    fn snappy_is_read_raw_and_in_frames() {
        let block = snap::raw::Encoder::new().compress_vec(b"hello").unwrap();
        let length = (block.len() as u32).to_be_bytes();
        let frames = [XERIAL.as_slice(), &length, &block, &length, &block].concat();
        assert_eq!(expand(&block, Codec::Snappy).unwrap(), b"hello");
        assert_eq!(expand(&frames, Codec::Snappy).unwrap(), b"hellohello");
        assert_eq!(expand(&frames[..frames.len() - 1], Codec::Snappy), None);
    }
}
