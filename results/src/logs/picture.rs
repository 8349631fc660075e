//! The replica picture as text: offsets across, replicas down, in each cell the epoch and, where contents differ, a letter.
//!
//! ```text
//! orders-7        1110  1111  1112  1113  1114
//! b1  hw 1115        6     6    7b    7b    7b
//! b2  hw 1112        6     6    6a    6a    6a
//! b3  hw 1115        6     6    7b    7b    7b
//! ```

use super::diff::{Batch, Comparison, Difference, Replica};
use std::fmt::Write as _;

const BEFORE: i64 = 5;
const AFTER: i64 = 9;
const CELL_COLUMNS: usize = 8;
const NAME_COLUMNS: usize = 22;

/// The comparison in words, and the picture around an offset or around the first difference.
pub fn picture(compared: &Comparison, around: Option<i64>) -> String {
    let mut out = format!("{}\n", compared.log);
    for replica in &compared.replicas {
        let _ = writeln!(out, "  {}", line(replica));
    }
    for difference in &compared.differences {
        let _ = writeln!(out, "  {}", told(difference, compared.committed()));
    }
    if compared.differences.is_empty() {
        out += "  the replicas are the same wherever they overlap\n";
    }
    let first = compared.differences.iter().map(|d| d.offset).min();
    if let Some(offset) = around.or(first) {
        out += &grid(compared, offset);
    }
    out
}

fn line(replica: &Replica) -> String {
    let epochs: Vec<String> = replica.epochs.iter().map(|e| format!("{} from {}", e.epoch.0, e.start.0)).collect();
    let hw = replica.high_watermark.map_or_else(|| "not told".to_owned(), |hw| hw.0.to_string());
    let flaws = if replica.flaws == 0 { String::new() } else { format!("  {} flaws", replica.flaws) };
    let Replica { name, start, end, batches, .. } = replica;
    format!(
        "{name:<6} offsets {start}..{end}  high watermark {hw}  {} batches  epochs {}{flaws}",
        batches.len(),
        epochs.join(", ")
    )
}

fn told(difference: &Difference, committed: Option<i64>) -> String {
    let has = |batch: &Option<Batch>| match batch {
        Some(b) => {
            let valid = if b.valid { "" } else { ", which does not hold" };
            format!("a batch {}..{} of epoch {} with crc {:08x}{valid}", b.base, b.end, b.epoch, b.crc)
        }
        None => "nothing".to_owned(),
    };
    let Difference { replica, from, offset, has: [ours, theirs] } = difference;
    let committed = match committed {
        Some(hw) if *offset < hw => format!("; it is committed: every high watermark is at {hw} or above"),
        Some(hw) => format!("; it is not committed: the lowest high watermark is {hw}"),
        None => String::new(),
    };
    format!("{replica} first differs from {from} at offset {offset}: {} against {}{committed}", has(ours), has(theirs))
}

fn grid(compared: &Comparison, around: i64) -> String {
    let offsets: Vec<i64> = (around.saturating_sub(BEFORE).max(0)..=around.saturating_add(AFTER)).collect();
    let digits = offsets.last().map_or(0, |last| last.to_string().len());
    let columns = CELL_COLUMNS.max(digits + 2);
    let mut out = format!("  {:NAME_COLUMNS$}", "offset");
    for offset in &offsets {
        let _ = write!(out, "{offset:>columns$}");
    }
    for replica in &compared.replicas {
        let hw = replica.high_watermark.map_or_else(String::new, |hw| format!("hw {}", hw.0));
        let _ = write!(out, "\n  {:NAME_COLUMNS$}", format!("{} {hw}", replica.name));
        for offset in &offsets {
            let _ = write!(out, "{:>columns$}", cell(compared, replica, *offset));
        }
    }
    out + "\n"
}

/// The epoch; a letter where replicas differ; `.` where there is nothing; `!` where a checksum does not hold.
fn cell(compared: &Comparison, replica: &Replica, offset: i64) -> String {
    let Some(batch) = replica.at(offset) else { return ".".into() };
    let mut variants: Vec<Batch> = Vec::new();
    for batch in compared.replicas.iter().filter_map(|r| r.at(offset)) {
        if !variants.contains(&batch) {
            variants.push(batch);
        }
    }
    let letter = variants.iter().position(|v| *v == batch).filter(|_| variants.len() > 1);
    let letter = letter.and_then(|n| char::from_u32('a' as u32 + n as u32)).map_or_else(String::new, String::from);
    format!("{}{letter}{}", batch.epoch, if batch.valid { "" } else { "!" })
}
