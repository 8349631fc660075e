//! What a record carries: run, log, writer, sequence, and a CRC-32C over all of it and its padding.
//!
//! ```text
//! magic u32 | log u32 | run u64 | value u64 | length u32 | crc u32 | padding …        (little endian, 32 bytes + padding)
//! ```
//! `length` is the whole payload's; the padding repeats a pattern seeded by the value, so a spliced record is found even
//! where the CRC was recomputed by somebody in between. Reading a payload never fails: what cannot be read is a finding.

use crate::ids::{LogId, Value};

/// The smallest payload, bytes.
pub const PAYLOAD_BYTES_MIN: usize = 32;
const MAGIC: u32 = 0x3147_5353;
const CRC_AT: usize = 28;

/// What a payload turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Payload {
    /// A record of this run, whole. `log` is where its writer sent it.
    Ours {
        /// Where it was sent.
        log: LogId,
        /// What it is.
        value: Value,
    },
    /// Bytes of ours that do not match their checksum, or are cut short.
    Corrupt,
    /// Not of this run.
    Foreign,
}

impl Payload {
    /// The value under which a reader of `log` records it. A record sent to another log keeps its value: that it was
    /// appended elsewhere is for the checker to see.
    pub fn value(self) -> Value {
        match self {
            Payload::Ours { value, .. } => value,
            Payload::Corrupt => Value::CORRUPT,
            Payload::Foreign => Value::FOREIGN,
        }
    }
}

/// Writes the payload of `value` for `log` into `out` (cleared first), `bytes` long but at least [`PAYLOAD_BYTES_MIN`].
pub fn encode(run: u64, log: LogId, value: Value, bytes: usize, out: &mut Vec<u8>) {
    let bytes = bytes.max(PAYLOAD_BYTES_MIN);
    out.clear();
    out.reserve(bytes);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&log.0.to_le_bytes());
    out.extend_from_slice(&run.to_le_bytes());
    out.extend_from_slice(&value.0.to_le_bytes());
    out.extend_from_slice(&(bytes as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let pattern = value.0.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    out.extend(pattern.iter().cycle().take(bytes - PAYLOAD_BYTES_MIN));
    let crc = checksum(out);
    out[CRC_AT..PAYLOAD_BYTES_MIN].copy_from_slice(&crc.to_le_bytes());
}

/// Reads a payload.
pub fn decode(run: u64, bytes: &[u8]) -> Payload {
    let word = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let long = |at: usize| word(at).zip(word(at + 4)).map(|(lo, hi)| u64::from(hi) << 32 | u64::from(lo));
    if word(0) != Some(MAGIC) {
        return Payload::Foreign;
    }
    let (Some(log), Some(found), Some(value), Some(length), Some(crc)) =
        (word(4), long(8), long(16), word(24), word(28))
    else {
        return Payload::Corrupt;
    };
    if length as usize != bytes.len() || crc != checksum(bytes) {
        return Payload::Corrupt;
    }
    if found != run || !Value(value).is_ordinary() {
        return Payload::Foreign;
    }
    Payload::Ours { log: LogId(log), value: Value(value) }
}

fn checksum(bytes: &[u8]) -> u32 {
    let (head, tail) = bytes.split_at(CRC_AT.min(bytes.len()));
    crc32c::crc32c_append(crc32c::crc32c(head), tail.get(4..).unwrap_or(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::WriterId;

    fn sample(bytes: usize) -> Vec<u8> {
        let mut out = Vec::new();
        encode(77, LogId(3), Value::new(WriterId(2), 5), bytes, &mut out);
        out
    }

    #[test]
    fn a_payload_gives_back_its_log_and_value_at_every_size() {
        for bytes in [0, 32, 33, 100, 1024] {
            let ours = Payload::Ours { log: LogId(3), value: Value::new(WriterId(2), 5) };
            assert_eq!(decode(77, &sample(bytes)), ours);
        }
    }

    #[test]
    fn every_flipped_bit_past_the_magic_is_corrupt() {
        let good = sample(48);
        for bit in 32..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(77, &bad), Payload::Corrupt, "bit {bit}");
        }
    }

    #[test]
    fn a_cut_payload_is_corrupt_and_a_strangers_is_foreign() {
        let good = sample(48);
        assert!((4..good.len()).all(|n| decode(77, &good[..n]) == Payload::Corrupt));
        assert!((0..4).all(|n| decode(77, &good[..n]) == Payload::Foreign));
        assert_eq!(decode(78, &good), Payload::Foreign);
    }
}
