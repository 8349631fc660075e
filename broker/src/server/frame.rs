//! Frames: a 32-bit big-endian length, then that many bytes.
//!
//! **Invariant:** memory follows the bytes that arrived, not the length that was announced; a length beyond the limit
//! is an error before anything is taken. Frames are handed on as `Bytes` without a copy.

use std::io;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

const LENGTH_BYTES: usize = 4;
const CHUNK_BYTES: usize = 64 * 1024;
const IDLE_BYTES: usize = 4 * 1024;

/// Why no further frame can be read.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The connection failed, or ended inside a frame.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The announced length is negative or beyond the limit.
    #[error("frame of {0} bytes refused")]
    Length(i32),
}

/// Takes frames off a connection.
pub struct Frames<R> {
    from: R,
    buffer: BytesMut,
    bytes_max: usize,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Frames of at most `bytes_max` bytes each.
    pub fn new(from: R, bytes_max: usize) -> Self {
        Frames { from, buffer: BytesMut::with_capacity(IDLE_BYTES), bytes_max }
    }

    /// The next frame; none when the other side closed between two frames.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        while self.buffer.len() < LENGTH_BYTES {
            if self.more(IDLE_BYTES).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(cut_off()) };
            }
        }
        let length = self.length()?;
        let whole = LENGTH_BYTES + length;
        while self.buffer.len() < whole {
            let missing = whole - self.buffer.len();
            if self.more(missing.min(CHUNK_BYTES.max(self.buffer.len()))).await? == 0 {
                return Err(cut_off());
            }
        }
        let frame = self.buffer.split_to(whole).freeze();
        Ok(Some(frame.slice(LENGTH_BYTES..)))
    }

    fn length(&self) -> Result<usize, FrameError> {
        let mut bytes = [0; LENGTH_BYTES];
        bytes.copy_from_slice(&self.buffer[..LENGTH_BYTES]);
        let announced = i32::from_be_bytes(bytes);
        let length = usize::try_from(announced).ok().filter(|length| *length <= self.bytes_max);
        length.ok_or(FrameError::Length(announced))
    }

    async fn more(&mut self, room: usize) -> io::Result<usize> {
        self.buffer.reserve(room);
        self.from.read_buf(&mut self.buffer).await
    }
}

fn cut_off() -> FrameError {
    FrameError::Io(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frames(input: &[u8], bytes_max: usize) -> (Vec<Vec<u8>>, Option<FrameError>) {
        let mut frames = Frames::new(input, bytes_max);
        let mut taken = Vec::new();
        loop {
            match frames.next().await {
                Ok(Some(frame)) => taken.push(frame.to_vec()),
                Ok(None) => return (taken, None),
                Err(error) => return (taken, Some(error)),
            }
        }
    }

    #[tokio::test]
    async fn frames_come_out_one_after_another_until_the_end() {
        let (taken, error) = frames(b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c", 100).await;
        assert_eq!(taken, [&b"ab"[..], b"", b"c"]);
        assert!(error.is_none());
    }

    #[tokio::test]
    async fn a_frame_cut_off_is_an_error() {
        assert!(matches!(frames(b"\0\0\0\x02a", 100).await, (taken, Some(FrameError::Io(_))) if taken.is_empty()));
        assert!(matches!(frames(b"\0\0", 100).await, (_, Some(FrameError::Io(_)))));
    }

    #[tokio::test]
    async fn a_length_beyond_the_limit_or_below_zero_is_refused_before_it_is_read() {
        assert!(matches!(frames(b"\0\0\0\x65", 100).await.1, Some(FrameError::Length(101))));
        assert!(matches!(frames(b"\xff\xff\xff\xff", 100).await.1, Some(FrameError::Length(-1))));
    }
}
