//! A foreign history of transactions over lists, as it is read.

use super::values::Named;
use checker::txn::Transaction;
use history::Names;

/// Transactions of appends and whole reads.
#[derive(Debug)]
pub struct ListHistory {
    /// They; a list is a log, an element's place its offset.
    pub transactions: Vec<Transaction>,
    /// Lists and processes.
    pub names: Names,
    /// Ours to the file's.
    pub named: Named,
    /// What the reader of the verdict must know of the file.
    pub notes: Vec<String>,
}
