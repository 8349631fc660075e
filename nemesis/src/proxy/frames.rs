//! Cuts a stream into the frames of the Kafka protocol: four bytes of length, then that many.
//!
//! **Invariants:** nothing is lost or reordered: the pieces, put together, are the stream. A frame that is too long to be
//! held, or is none, is handed on as it comes and never touched. Memory grows with the bytes that arrive.

use bytes::{Buf, Bytes, BytesMut};

/// Longest frame that is held until it is whole, bytes.
pub(super) const FRAME_BYTES_MAX: usize = 2 << 20;
const LENGTH_BYTES: usize = 4;

/// A piece of a stream.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Cut {
    /// A whole frame, its length included.
    Frame(Bytes),
    /// A part of one that is not held.
    Part(Bytes),
}

/// Where in the stream the next byte lies.
#[derive(Default)]
pub(super) struct Frames {
    partial: BytesMut,
    /// Bytes of the present frame that are still to be handed on as they come.
    passing: usize,
}

impl Frames {
    /// What became of `bytes`. Frames are held until they are whole if `whole` says so; else only their length is.
    pub(super) fn cut(&mut self, mut bytes: Bytes, whole: bool) -> Vec<Cut> {
        let mut cuts = Vec::new();
        while !bytes.is_empty() {
            if self.passing > 0 {
                let part = bytes.split_to(self.passing.min(bytes.len()));
                self.passing -= part.len();
                cuts.push(Cut::Part(part));
            } else {
                self.gather(&mut bytes, whole, &mut cuts);
            }
        }
        cuts
    }

    fn gather(&mut self, bytes: &mut Bytes, whole: bool, cuts: &mut Vec<Cut>) {
        let lacking = LENGTH_BYTES.saturating_sub(self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes.split_to(lacking));
        let Some(length) = self.partial.get(..LENGTH_BYTES).map(|mut four| four.get_i32()) else { return };
        let total = LENGTH_BYTES + usize::try_from(length).unwrap_or(0);
        if !whole || length < 0 || total > FRAME_BYTES_MAX {
            // What is no frame is passed on to the end of the stream.
            let end = if length < 0 { usize::MAX } else { total };
            self.passing = end - self.partial.len().min(end);
            cuts.push(Cut::Part(self.partial.split().freeze()));
            return;
        }
        let missing = (total - self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes.split_to(missing));
        if self.partial.len() == total {
            cuts.push(Cut::Frame(self.partial.split().freeze()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut;
    use proptest::prelude::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i32(body.len() as i32);
        out.extend_from_slice(body);
        out
    }

    fn together(cuts: &[Cut]) -> Vec<u8> {
        cuts.iter()
            .flat_map(|cut| match cut {
                Cut::Frame(bytes) | Cut::Part(bytes) => bytes.to_vec(),
            })
            .collect()
    }

    #[test]
    fn frames_are_whole_however_the_stream_arrives() {
        let stream = [frame(b"one"), frame(b""), frame(&[7; 300])].concat();
        for step in 1..stream.len() {
            let mut frames = Frames::default();
            let cuts: Vec<Cut> =
                stream.chunks(step).flat_map(|c| frames.cut(Bytes::copy_from_slice(c), true)).collect();
            let whole: Vec<usize> = cuts.iter().map(|c| if let Cut::Frame(b) = c { b.len() } else { 0 }).collect();
            assert_eq!(whole, [7, 4, 304], "in steps of {step}");
        }
    }

    #[test]
    fn a_frame_that_began_to_pass_passes_and_the_next_one_is_held() {
        let mut frames = Frames::default();
        let first = frame(&[1; 10]);
        frames.cut(Bytes::copy_from_slice(&first[..6]), false);
        let rest = [&first[6..], &frame(b"next")[..]].concat();
        let cuts = frames.cut(Bytes::from(rest), true);
        assert!(
            matches!(&cuts[..], [Cut::Part(part), Cut::Frame(next)] if part.len() == 8 && next.len() == 8),
            "{cuts:?}"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_whatever_the_bytes_are(
            chunks in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..40)
        ) {
            let mut frames = Frames::default();
            let mut out = Vec::new();
            for (chunk, whole) in &chunks {
                out.extend(together(&frames.cut(Bytes::copy_from_slice(chunk), *whole)));
            }
            let sent: Vec<u8> = chunks.iter().flat_map(|(chunk, _)| chunk.clone()).collect();
            let held = frames.partial.to_vec();
            prop_assert_eq!([out, held].concat(), sent);
        }
    }
}
