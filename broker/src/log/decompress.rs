//! Undoing the compression of a batch's records, within a limit.
//!
//! **Invariant:** whatever a batch claims, no more than the limit is held (and for Zstandard a window of 32 MiB). That
//! is why the decoders are called here and not through the wire codec's, which believe every claim.

use super::batch::Codec;
use super::compress::XERIAL;
use bytes::Buf;
use std::borrow::Cow;
use std::io::Read;

/// Largest Zstandard window taken, as a power of two; the levels up to 19 need 2^23.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// `bytes` without their compression; `None` if they cannot be decompressed or are more than `plain_bytes_max`.
pub(super) fn decompress(codec: Codec, bytes: &[u8], plain_bytes_max: usize) -> Option<Cow<'_, [u8]>> {
    let plain = match codec {
        Codec::None => return Some(Cow::Borrowed(bytes)),
        Codec::Gzip => limited(flate2::read::MultiGzDecoder::new(bytes), plain_bytes_max),
        Codec::Lz4 => limited(lz4::Decoder::new(bytes).ok()?, plain_bytes_max),
        Codec::Snappy => snappy(bytes, plain_bytes_max),
        Codec::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(bytes).ok()?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).ok()?;
            limited(decoder, plain_bytes_max)
        }
    };
    plain.map(Cow::Owned)
}

fn limited(reader: impl Read, plain_bytes_max: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    reader.take(plain_bytes_max as u64 + 1).read_to_end(&mut plain).ok()?;
    (plain.len() <= plain_bytes_max).then_some(plain)
}

/// Blocks in Xerial's framing, or one bare block.
fn snappy(bytes: &[u8], plain_bytes_max: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let Some(mut rest) = bytes.strip_prefix(XERIAL) else {
        snappy_block(bytes, &mut plain, plain_bytes_max)?;
        return Some(plain);
    };
    while !rest.is_empty() {
        let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
        snappy_block(rest.get(..length)?, &mut plain, plain_bytes_max)?;
        rest = &rest[length..];
    }
    Some(plain)
}

fn snappy_block(block: &[u8], plain: &mut Vec<u8>, plain_bytes_max: usize) -> Option<()> {
    let (from, length) = (plain.len(), snap::raw::decompress_len(block).ok()?);
    let to = from.checked_add(length).filter(|to| *to <= plain_bytes_max)?;
    plain.resize(to, 0);
    snap::raw::Decoder::new().decompress(block, &mut plain[from..]).ok().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn compressed(codec: Codec, plain: &[u8]) -> Vec<u8> {
        match codec {
            Codec::None => plain.to_vec(),
            Codec::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Codec::Snappy => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
            Codec::Lz4 => {
                let mut encoder = lz4::EncoderBuilder::new().build(Vec::new()).unwrap();
                encoder.write_all(plain).unwrap();
                encoder.finish().0
            }
            Codec::Zstd => zstd::encode_all(plain, 3).unwrap(),
        }
    }

    fn xerial(blocks: &[&[u8]]) -> Vec<u8> {
        let mut stream = XERIAL.to_vec();
        for block in blocks {
            let block = compressed(Codec::Snappy, block);
            stream.extend_from_slice(&(block.len() as u32).to_be_bytes());
            stream.extend_from_slice(&block);
        }
        stream
    }

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    #[test]
    fn every_codec_gives_back_what_went_in() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
        for codec in CODECS {
            let bytes = compressed(codec, &plain);
            assert_eq!(decompress(codec, &bytes, plain.len()).as_deref(), Some(&plain[..]), "{codec:?}");
        }
        let stream = xerial(&[b"one", b"", b"two"]);
        assert_eq!(decompress(Codec::Snappy, &stream, 6).as_deref(), Some(&b"onetwo"[..]));
    }

    #[test]
    fn more_than_the_limit_is_refused_without_being_held() {
        let plain = vec![0; 10 << 20];
        for codec in CODECS.into_iter().skip(1) {
            let bytes = compressed(codec, &plain);
            assert_eq!(decompress(codec, &bytes, plain.len() - 1), None, "{codec:?}");
        }
        assert_eq!(decompress(Codec::Snappy, &xerial(&[b"one", b"two"]), 5), None);
        assert_eq!(decompress(Codec::Snappy, b"\xff\xff\xff\xff\x0f", 1 << 20), None, "claims 4 GiB");
    }

    #[test]
    fn torn_and_arbitrary_bytes_are_refused_or_read_but_never_a_panic() {
        let plain: Vec<u8> = (0..2000_u32).flat_map(u32::to_be_bytes).collect();
        for codec in CODECS {
            let bytes = compressed(codec, &plain);
            for len in (0..bytes.len()).step_by(7) {
                let _ = decompress(codec, &bytes[..len], 1 << 20);
                let mut flipped = bytes.clone();
                flipped[len] ^= 0x55;
                let _ = decompress(codec, &flipped, 1 << 20);
            }
        }
    }
}
