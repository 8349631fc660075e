//! Compressing a batch's records, as Kafka's clients expect to find them.

use super::batch::Codec;
use bytes::BufMut;
use std::io::{self, Write};

/// Block size of Java's snappy stream.
const SNAPPY_BLOCK_BYTES: usize = 32 * 1024;
/// What a snappy stream begins with: a magic, a version, and the oldest version that can read it (Xerial).
pub(super) const XERIAL: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// Zstandard's own default, and Kafka's.
const ZSTD_LEVEL: i32 = 3;

/// `plain` compressed.
///
/// # Errors
/// The codec's; none of them fails on memory that can be had.
pub(super) fn compress(codec: Codec, plain: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        Codec::None => Ok(plain.to_vec()),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain)?;
            encoder.finish()
        }
        Codec::Snappy => snappy(plain),
        Codec::Lz4 => {
            let mut encoder = lz4::EncoderBuilder::new().build(Vec::new())?;
            encoder.write_all(plain)?;
            let (bytes, finished) = encoder.finish();
            finished.map(|()| bytes)
        }
        Codec::Zstd => zstd::encode_all(plain, ZSTD_LEVEL),
    }
}

fn snappy(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = XERIAL.to_vec();
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(SNAPPY_BLOCK_BYTES) {
        let block = encoder.compress_vec(block).map_err(io::Error::other)?;
        stream.put_u32(u32::try_from(block.len()).map_err(io::Error::other)?);
        stream.extend_from_slice(&block);
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::decompress::decompress;

    #[test]
    fn what_was_compressed_comes_back() {
        let plain: Vec<u8> = (0..50_000_u32).flat_map(u32::to_be_bytes).collect();
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            for plain in [&plain[..], b"x", b""] {
                let bytes = compress(codec, plain).unwrap();
                assert_eq!(decompress(codec, &bytes, plain.len()).as_deref(), Some(plain), "{codec:?}");
            }
        }
    }
}
