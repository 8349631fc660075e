//! An answer on its way: pieces in memory, and pieces of files that the kernel sends from where they are (sendfile).
//!
//! The codec writes into one buffer. Where a fetch's records are to stay in their file, it is handed a stand-in of their
//! length; the buffer here knows the stand-in by its address, and notes the piece instead of copying anything.
//!
//! **Invariant:** the pieces together are as long as the frame says. A file that has become shorter meanwhile (its log was cut
//! back) cannot be sent as announced: then the connection ends. So it does when the other side has taken nothing for its patience.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use bytes::buf::UninitSlice;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::buf::ByteBufMut;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, send};
use tokio::io::{AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::timeout;

use crate::log::FileSlice;

/// What records in a file are stood in for by. Never written, so it takes no memory.
static STAND_IN: [u8; FileSlice::BYTES_MAX] = [0; FileSlice::BYTES_MAX];

/// A piece of an answer.
#[derive(Debug)]
enum Piece {
    Memory(Bytes),
    File(FileSlice),
}

/// A whole frame, length included.
#[derive(Debug)]
pub struct Frame(Vec<Piece>);

impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Frame {
        Frame(vec![Piece::Memory(bytes)])
    }
}

/// What the codec is given in place of bytes that stay in their file.
pub fn stand_in(slice: &FileSlice) -> Bytes {
    Bytes::from_static(STAND_IN.get(..slice.len).unwrap_or_default())
}

/// A buffer for the codec that takes these slices of files where their stand-ins are written, in this order.
pub struct Gather {
    memory: BytesMut,
    waiting: VecDeque<FileSlice>,
    /// Slices, each with what stands in memory before it.
    taken: Vec<(usize, FileSlice)>,
}

impl Gather {
    /// An empty one, with room for so much in memory.
    pub fn new(room: usize, slices: Vec<FileSlice>) -> Gather {
        Gather { memory: BytesMut::with_capacity(room), waiting: slices.into(), taken: Vec::new() }
    }

    /// The frame: what was written after the first four bytes, which become its length. None if a stand-in is missing or it is
    /// too long.
    pub fn frame(mut self) -> Option<Frame> {
        let in_files: usize = self.taken.iter().map(|(_, slice)| slice.len).sum();
        let length = i32::try_from((self.memory.len() + in_files).checked_sub(4)?).ok()?;
        self.memory.get_mut(..4)?.copy_from_slice(&length.to_be_bytes());
        if !self.waiting.is_empty() {
            return None;
        }
        let (mut pieces, mut at) = (Vec::with_capacity(self.taken.len() * 2 + 1), 0);
        for (before, slice) in self.taken {
            pieces.push(Piece::Memory(self.memory.split_to(before - at).freeze()));
            pieces.push(Piece::File(slice));
            at = before;
        }
        pieces.push(Piece::Memory(self.memory.freeze()));
        Some(Frame(pieces))
    }
}

// SAFETY: everything that concerns uninitialised memory is done by the `BytesMut` behind it.
#[allow(unsafe_code)]
unsafe impl BufMut for Gather {
    fn remaining_mut(&self) -> usize {
        self.memory.remaining_mut()
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: as the caller promises.
        unsafe { self.memory.advance_mut(count) }
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        self.memory.chunk_mut()
    }

    fn put_slice(&mut self, bytes: &[u8]) {
        let stands_in = !bytes.is_empty() && STAND_IN.as_ptr_range().contains(&bytes.as_ptr());
        match self.waiting.pop_front() {
            Some(slice) if stands_in && slice.len == bytes.len() => self.taken.push((self.memory.len(), slice)),
            slice => {
                slice.into_iter().for_each(|slice| self.waiting.push_front(slice));
                self.memory.extend_from_slice(bytes);
            }
        }
    }
}

impl ByteBufMut for Gather {
    fn offset(&self) -> usize {
        self.memory.len()
    }

    fn seek(&mut self, offset: usize) {
        self.memory.resize(offset, 0);
    }

    fn range(&mut self, range: std::ops::Range<usize>) -> &mut [u8] {
        &mut self.memory[range]
    }
}

/// How long the other side may take nothing; for ever if none.
pub type Patience = Option<Duration>;

/// Sends a frame.
///
/// # Errors
/// The connection's, `TimedOut` if the other side takes nothing for longer than `patience`, and `UnexpectedEof` if a file is shorter
/// than it was.
pub async fn write(to: &mut OwnedWriteHalf, frame: Frame, patience: Patience) -> io::Result<()> {
    let mut pieces = frame.0.into_iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Memory(bytes) if matches!(pieces.peek(), Some(Piece::File(_))) => {
                send_more(to, bytes, patience).await?;
            }
            Piece::Memory(bytes) => send_all(to, bytes, patience).await?,
            Piece::File(slice) => send_file(to.as_ref(), &slice, patience).await?,
        }
    }
    Ok(())
}

/// Waits for some progress.
async fn within<T>(patience: Patience, progress: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match patience {
        Some(patience) => timeout(patience, progress).await.map_err(io::Error::from)?,
        None => progress.await,
    }
}

async fn send_all(to: &mut (impl AsyncWrite + Unpin), mut bytes: Bytes, patience: Patience) -> io::Result<()> {
    while !bytes.is_empty() {
        match within(patience, to.write(&bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            sent => bytes.advance(sent),
        }
    }
    Ok(())
}

/// Hands bytes over that a file's are to follow in the same packet.
async fn send_more(to: &mut OwnedWriteHalf, mut bytes: Bytes, patience: Patience) -> io::Result<()> {
    while !bytes.is_empty() {
        let stream: &TcpStream = (*to).as_ref();
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::from_bits_retain(libc::MSG_MORE);
        let attempt = || Ok(send(stream.as_raw_fd(), &bytes, flags)?);
        let sent = within(patience, stream.async_io(Interest::WRITABLE, attempt)).await?;
        bytes.advance(sent);
    }
    Ok(())
}

async fn send_file(to: &TcpStream, slice: &FileSlice, patience: Patience) -> io::Result<()> {
    let mut left = slice.len;
    while left > 0 {
        let at = slice.at + (slice.len - left) as u64;
        match within(patience, to.async_io(Interest::WRITABLE, || send_some(to, slice, at, left))).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            sent => left -= sent,
        }
    }
    Ok(())
}

#[allow(unsafe_code)]
fn send_some(to: &TcpStream, slice: &FileSlice, at: u64, count: usize) -> io::Result<usize> {
    let mut offset = libc::off64_t::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: both descriptors outlive the call, and the offset is ours.
    let sent = unsafe { libc::sendfile64(to.as_raw_fd(), slice.file.as_raw_fd(), &mut offset, count) };
    Ok(Errno::result(sent)? as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::Arc;
    use tokio::io::AsyncReadExt;

    /// A file and its content.
    fn file(bytes: usize) -> (Arc<std::fs::File>, Vec<u8>) {
        let content: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        (Arc::new(file), content)
    }

    async fn sent(frame: Frame) -> io::Result<Vec<u8>> {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, server) =
            tokio::join!(TcpStream::connect(socket.local_addr().unwrap()), async { socket.accept().await.unwrap().0 });
        let reading = tokio::spawn(async move {
            let mut bytes = Vec::new();
            client.unwrap().read_to_end(&mut bytes).await.map(|_| bytes)
        });
        let (_from, mut to) = server.into_split();
        let written = write(&mut to, frame, None).await;
        drop((to, _from));
        let read = reading.await.unwrap();
        written.and(read)
    }

    fn two_slices(file: &Arc<std::fs::File>) -> Frame {
        let slice = |at, len| FileSlice { file: file.clone(), at, len };
        let slices = vec![slice(5, 300_000), slice(700_000, 10)];
        let mut buffer = Gather::new(64, slices.clone());
        buffer.put_i32(0);
        buffer.put_slice(b"a");
        buffer.put_slice(&stand_in(&slices[0]));
        buffer.put_slice(b"b");
        buffer.put_slice(&stand_in(&slices[1]));
        buffer.frame().unwrap()
    }

    #[tokio::test]
    async fn files_are_sent_where_their_stand_ins_were_written() {
        let (file, content) = file(1_000_000);
        let expected = [&(300_012_i32.to_be_bytes())[..], b"a", &content[5..300_005], b"b", &content[700_000..700_010]];
        assert_eq!(sent(two_slices(&file)).await.unwrap(), expected.concat());
    }

    #[tokio::test]
    async fn a_file_that_was_cut_meanwhile_ends_the_connection_instead_of_the_frame() {
        let (file, _) = file(1_000_000);
        let frame = two_slices(&file);
        file.set_len(100_000).unwrap();
        assert_eq!(sent(frame).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn who_takes_nothing_is_waited_for_no_longer_than_the_patience_and_who_takes_little_is() {
        let patience = Some(Duration::from_millis(50));
        let (mut to, _never_read) = tokio::io::duplex(10);
        let sent = send_all(&mut to, Bytes::from_static(&[7; 30]), patience).await;
        assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (mut to, mut from) = tokio::io::duplex(10);
        let slow = tokio::spawn(async move { from.read_exact(&mut [0; 30]).await.map(drop) });
        send_all(&mut to, Bytes::from_static(&[7; 30]), Some(Duration::from_secs(3600))).await.unwrap();
        slow.await.unwrap().unwrap();
    }

    #[test]
    fn a_frame_without_one_of_its_slices_is_none() {
        let slice = FileSlice { file: file(10).0, at: 0, len: 10 };
        let mut buffer = Gather::new(64, vec![slice]);
        buffer.put_i32(0);
        buffer.put_slice(&[0; 10]);
        assert!(buffer.frame().is_none());
    }
}
