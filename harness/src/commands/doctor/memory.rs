//! Tries the file system in memory: mounts it, measures it, and cuts its power.

use super::Found;
use crate::holds::memory::{HELP, Memory};
use crate::run::Processes;
use nemesis::disk::Loss;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const APPENDS: usize = 2_000;
const RECORD: [u8; 256] = [7; 256];
/// How it was mounted and what an append with fdatasync costs, the median; that what was not synced is gone is seen.
pub fn tried(folder: &Path, processes: &mut Processes) -> Result<(String, Found), String> {
    let data = folder.join("memory");
    std::fs::create_dir_all(&data).map_err(|e| e.to_string())?;
    let mut memory = Memory::start(folder, &data, 1, processes).map_err(|e| e.to_string() + HELP)?;
    let tried = measure(&mut memory).map_err(|e| e.to_string());
    let (how, median) = (memory.how().to_owned(), tried?);
    memory.end(processes).map_err(|e| e.to_string())?;
    if std::fs::metadata(data.join("synced")).map_or(0, |stat| stat.len()) != (APPENDS * RECORD.len()) as u64 {
        return Err("what was written is not in the folder at the end".into());
    }
    Ok((how, Found::Works { cost: format!("append + fdatasync {:.1} us", median.as_secs_f64() * 1e6) }))
}

fn measure(memory: &mut Memory) -> std::io::Result<Duration> {
    let files = memory.files();
    let append = |name: &str| OpenOptions::new().create(true).append(true).open(files.join(name));
    let mut file = append("synced")?;
    let mut took = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let began = Instant::now();
        file.write_all(&RECORD)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    append("not-synced")?.write_all(&RECORD)?;
    let lost = memory.lose_power(Loss::All, 1).map_err(|e| std::io::Error::other(e.to_string()))?;
    let (kept, gone) = (files.join("synced").exists(), !files.join("not-synced").exists());
    if !kept || !gone || lost.bytes != RECORD.len() as u64 {
        return Err(std::io::Error::other("a power loss did not take what was not synced, and nothing else"));
    }
    took.sort_unstable();
    Ok(took[APPENDS / 2])
}
