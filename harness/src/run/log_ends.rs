//! The ends of replicas as their files have them: followed while brokers write, for conditions of a schedule only.
//!
//! A batch tells the offsets it holds in its first bytes; a file that became shorter is read again. What is judged is read
//! afterwards, whole.

use history::{NodeId, Offset};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Of a batch, up to and with the last offset's delta.
const HEAD_BYTES: usize = 27;
const MAGIC_AT: usize = 16;
const MAGIC: u8 = 2;
/// Batches looked at in one go.
const BATCHES_MAX: usize = 100_000;

/// Follows replicas.
#[derive(Debug, Default)]
pub struct LogEnds {
    tails: BTreeMap<(NodeId, PathBuf), Tail>,
}

#[derive(Debug, Default)]
struct Tail {
    segment: Option<PathBuf>,
    position: u64,
    end: i64,
}

impl LogEnds {
    /// The end of the replica in `folder` of `node`; `None` if there is none.
    pub fn of(&mut self, node: NodeId, folder: &Path) -> Option<Offset> {
        let segment = last_segment(folder)?;
        let tail = self.tails.entry((node, folder.to_owned())).or_default();
        tail.follow(segment).ok()?;
        Some(Offset(tail.end))
    }
}

fn last_segment(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|e| e == "log") && base_of(path).is_some()).max()
}

fn base_of(segment: &Path) -> Option<i64> {
    segment.file_stem()?.to_str()?.parse().ok()
}

impl Tail {
    fn follow(&mut self, segment: PathBuf) -> std::io::Result<()> {
        let file = File::open(&segment)?;
        let length = file.metadata()?.len();
        if self.segment.as_ref() != Some(&segment) || length < self.position {
            *self = Tail { end: base_of(&segment).unwrap_or(0), segment: Some(segment), position: 0 };
        }
        let mut head = [0; HEAD_BYTES];
        for _ in 0..BATCHES_MAX {
            let whole = file.read_at(&mut head, self.position)? == HEAD_BYTES;
            let Some((bytes, end)) = whole.then(|| batch(&head)).flatten() else { break };
            if self.position + bytes > length {
                break;
            }
            self.position += bytes;
            self.end = end;
        }
        Ok(())
    }
}

/// Bytes of a batch on disk, and the offset after its last record.
fn batch(head: &[u8; HEAD_BYTES]) -> Option<(u64, i64)> {
    let base = i64::from_be_bytes(head[..8].try_into().ok()?);
    let length = u64::from(u32::from_be_bytes(head[8..12].try_into().ok()?));
    let delta = i64::from(i32::from_be_bytes(head[23..27].try_into().ok()?));
    (head[MAGIC_AT] == MAGIC && length > 0 && delta >= 0).then(|| (12 + length, base.saturating_add(delta + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(base: i64, records: i32) -> Vec<u8> {
        let mut out = vec![0; 80];
        out[..8].copy_from_slice(&base.to_be_bytes());
        out[8..12].copy_from_slice(&68_u32.to_be_bytes());
        out[MAGIC_AT] = MAGIC;
        out[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        out
    }

    #[test]
    fn an_end_moves_with_batches_rolls_with_segments_and_goes_back_with_a_truncation() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ends, node) = (LogEnds::default(), NodeId(1));
        let write =
            |name: &str, batches: &[Vec<u8>]| std::fs::write(folder.path().join(name), batches.concat()).unwrap();
        let end = |ends: &mut LogEnds| ends.of(node, folder.path()).map(|o| o.0);
        assert_eq!(end(&mut ends), None);
        let first = [batch_of(0, 3), batch_of(3, 1), batch_of(4, 10)];
        write("00000000000000000000.log", &first[..1]);
        assert_eq!(end(&mut ends), Some(3));
        write("00000000000000000000.log", &first);
        assert_eq!(end(&mut ends), Some(14));
        write("00000000000000000000.log", &first[..2]);
        assert_eq!(end(&mut ends), Some(4));
        write("00000000000000000014.log", &[batch_of(14, 6)]);
        assert_eq!(end(&mut ends), Some(20));
        write("00000000000000000014.log", &[batch_of(14, 6)[..50].to_vec()]);
        assert_eq!(end(&mut ends), Some(14), "half a batch is none");
    }
}
