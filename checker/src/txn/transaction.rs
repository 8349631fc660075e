//! What is judged: transactions and what they did.

use history::{LogId, Nanos, Offset, ProcessId, Record, Value};

/// What became of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Status {
    /// Its commit was acknowledged.
    Committed,
    /// Its abort was, or its commit was never asked for, or refused for good.
    Aborted,
    /// Its commit was asked for and nobody can tell.
    Unknown,
}

/// How much a read says of what it did not return.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Extent {
    /// Nothing.
    Some,
    /// It returned everything readable from its offset up to its last record.
    Window,
    /// It returned everything readable from its offset on.
    Tail,
}

/// Which records a read may show.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum View {
    /// Committed ones: what it shows has happened.
    Committed,
    /// Those of open and aborted transactions too: it says where records stand, and what does not exist at all.
    Everything,
}

/// What an append was told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// Acknowledged at this offset.
    At(Offset),
    /// Acknowledged without one.
    Untold,
    /// Not acknowledged: even of a committed transaction it may be missing.
    Unacknowledged,
}

impl Place {
    /// The offset told, if it is one.
    pub fn offset(self) -> Option<Offset> {
        match self {
            Place::At(offset) if offset >= Offset(0) => Some(offset),
            _ => None,
        }
    }
}

/// One thing a transaction did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MicroOp {
    /// Appended a record.
    Append {
        /// To which log.
        log: LogId,
        /// What.
        value: Value,
        /// Where.
        place: Place,
    },
    /// Read records. In a log without offsets their offsets are positions in the list read.
    Read {
        /// Of which log.
        log: LogId,
        /// From where.
        from: Offset,
        /// What, by rising offset.
        records: Vec<Record>,
        /// What it says of the rest.
        extent: Extent,
        /// Which records it may show.
        view: View,
    },
    /// Stored a group's position.
    Position {
        /// Whose.
        group: u32,
        /// In which log.
        log: LogId,
        /// The next offset to read.
        offset: Offset,
    },
}

/// A transaction, or a single operation outside of any.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// Its number within its process, for messages.
    pub id: u64,
    /// Who did it.
    pub process: ProcessId,
    /// Before its first request.
    pub invoked: Nanos,
    /// After its last reply, if it came.
    pub returned: Option<Nanos>,
    /// What became of it.
    pub status: Status,
    /// What it did, in its order.
    pub ops: Vec<MicroOp>,
}

/// A group's stored position read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PositionRead {
    /// Whose.
    pub group: u32,
    /// In which log.
    pub log: LogId,
    /// The answer, [`Offset::UNKNOWN`] if there was none.
    pub offset: Offset,
    /// Before the request.
    pub invoked: Nanos,
    /// After the reply.
    pub returned: Nanos,
}
