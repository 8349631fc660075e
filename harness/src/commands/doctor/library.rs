//! Tries signals, and the preloaded library: on this program, after a look into the broker's.

use super::Found;
use super::calls::{Answer, Measured};
use crate::guard::Signal;
use crate::run::Processes;
use crate::systems::Launch;
use nemesis::disk::DiskFault;
use nemesis::skew::Skew;
use shim::{Coverage, Preload};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PATIENCE: Duration = Duration::from_secs(60);
const JUMP_MS: i64 = -3_600_000;

/// Kills a process and sees it reaped.
pub fn signals(folder: &Path, processes: &mut Processes) -> Result<Found, String> {
    let argv = ["/bin/sleep".to_owned(), "1000".to_owned()];
    let life = processes.spawn(&argv, &Launch::default(), &folder.join("sleep.log")).map_err(|e| e.to_string())?;
    let began = Instant::now();
    processes.signal(life.child, Signal::Kill).map_err(|e| e.to_string())?;
    processes.wait_ended(life.child, PATIENCE).ok_or("a process was killed and not reaped")?;
    Ok(Found::Works { cost: format!("killed and reaped in {:.1} ms", began.elapsed().as_secs_f64() * 1e3) })
}

/// Measures with and without the library, and sees that syncs and clocks go wrong as they are told to.
pub fn tried(program: Option<&Path>, folder: &Path, processes: &mut Processes) -> Result<Found, String> {
    if let Some(program) = program {
        let coverage = shim::audit(program).map_err(|e| format!("{}: {e}", program.display()))?;
        if !matches!(coverage, Coverage::Dynamic | Coverage::Script) {
            return Err(format!("{}: {coverage}", program.display()));
        }
    }
    let data = folder.join("calls");
    std::fs::create_dir_all(&data).map_err(|e| e.to_string())?;
    let library = Preload::create(folder, &data, 1).map_err(|e| e.to_string())?;
    let env = library.env().into_iter().map(|(name, value)| (name, Some(value))).collect();
    let launch = Launch { env, ..Launch::default() };
    let plain = measured(&data, &Launch::default(), processes)?;
    let off = measured(&data, &launch, processes)?;
    if library.loaded() == 0 {
        return Err("the library was not loaded (is LD_PRELOAD ignored here?)".into());
    }
    library.break_disk(DiskFault::FsyncFails);
    library.skew(Some(Skew::Jump { ms: JUMP_MS }));
    let wrong = measured(&data, &launch, processes)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
    if wrong.fsync != Answer::Failed || library.counts().fsyncs_failed == 0 {
        return Err("an fsync that was to fail did not".into());
    }
    if (now - wrong.wall_ms) * 10 < -JUMP_MS * 8 {
        return Err("a wall clock that was to jump did not".into());
    }
    let more = |off: f64, plain: f64| (off - plain).max(0.0);
    let (write, clock) = (more(off.write_ns, plain.write_ns), more(off.clock_ns, plain.clock_ns));
    Ok(Found::Works { cost: format!("while nothing is wrong +{write:.0} ns a write, +{clock:.0} ns a clock") })
}

fn measured(data: &Path, launch: &Launch, processes: &mut Processes) -> Result<Measured, String> {
    let exe = std::env::current_exe().map_err(|e| e.to_string())?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (argv, out) = ([text(&exe), "calls".into(), text(data)], data.join("calls.json"));
    let _ = std::fs::remove_file(&out);
    let life = processes.spawn(&argv, launch, &out).map_err(|e| e.to_string())?;
    processes.wait_ended(life.child, PATIENCE).ok_or("measuring takes too long")?;
    let told = std::fs::read_to_string(&out).map_err(|e| e.to_string())?;
    serde_json::from_str(&told).map_err(|e| format!("measuring failed: {e}: {told}"))
}
