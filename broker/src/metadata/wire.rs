//! Frames between controllers and from brokers to controllers: a 4-byte big-endian length, then that many bytes of JSON.
//!
//! **Invariant:** a frame longer than [`FRAME_BYTES_MAX`] is refused before any of it is read, and a buffer grows with the bytes that
//! arrived, never with the length that was announced. A frame that is not what it should be ends the connection, never the process.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest frame. A snapshot of the image travels in one.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// A connection that is of no more use.
#[derive(Debug, Error)]
pub enum WireError {
    /// The peer closed it between two frames.
    #[error("connection closed")]
    Closed,
    /// It broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Too long a frame.
    #[error("frame of {0} bytes is over the limit of {FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// The frame is not the JSON it should be.
    #[error("frame makes no sense: {0}")]
    Malformed(#[from] serde_json::Error),
    /// An answer to something else, or none in time.
    #[error("no answer: {0}")]
    Unanswered(&'static str),
}

/// The bytes of a whole frame.
///
/// # Errors
/// [`WireError::TooLong`], [`WireError::Malformed`] if the message has no JSON form.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    match u32::try_from(length) {
        Ok(announced) if length <= FRAME_BYTES_MAX => frame[..4].copy_from_slice(&announced.to_be_bytes()),
        _ => return Err(WireError::TooLong(length)),
    }
    Ok(frame)
}

/// Writes one frame.
///
/// # Errors
/// As [`encode`], and [`WireError::Io`].
pub async fn write<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), message: &T) -> Result<(), WireError> {
    to.write_all(&encode(message)?).await?;
    Ok(to.flush().await?)
}

/// Reads one frame. Not to be cancelled halfway: the rest of the frame would be taken for the next one's length.
///
/// # Errors
/// All of [`WireError`] but [`WireError::Unanswered`].
pub async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<T, WireError> {
    let mut announced = [0; 4];
    match from.read_exact(&mut announced).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(WireError::Closed),
        other => other?,
    };
    let length = usize::try_from(u32::from_be_bytes(announced)).unwrap_or(usize::MAX);
    if length > FRAME_BYTES_MAX {
        return Err(WireError::TooLong(length));
    }
    let mut frame = Vec::new();
    from.take(length as u64).read_to_end(&mut frame).await?;
    if frame.len() < length {
        return Err(WireError::Closed);
    }
    Ok(serde_json::from_slice(&frame)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_reads_back_as_it_was_written() {
        let mut bytes = Vec::new();
        write(&mut bytes, &vec![1, 2, 3]).await.unwrap();
        let mut rest = bytes.as_slice();
        assert_eq!(read::<Vec<i32>>(&mut rest).await.unwrap(), [1, 2, 3]);
        assert!(matches!(read::<Vec<i32>>(&mut rest).await, Err(WireError::Closed)));
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_refused_before_anything_is_read() {
        let mut bytes = [0xff; 8].as_slice();
        assert!(matches!(read::<i32>(&mut bytes).await, Err(WireError::TooLong(_))));
        assert_eq!(bytes.len(), 4);
    }

    #[tokio::test]
    async fn no_cut_and_no_garbage_makes_it_panic() {
        let whole = encode(&"abcdef").unwrap();
        for cut in 0..whole.len() {
            assert!(read::<String>(&mut &whole[..cut]).await.is_err());
        }
        for byte in 0..=u8::MAX {
            assert!(read::<Vec<i32>>(&mut [0, 0, 0, 2, byte, byte].as_slice()).await.is_err());
        }
    }
}
