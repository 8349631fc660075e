//! Ordinary programs with the library preloaded: what they see is what the page says, and without a word on it nothing changes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use nemesis::disk::DiskFault;
use nemesis::skew::Skew;
use shim::Preload;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

struct Field {
    _folder: tempfile::TempDir,
    data: std::path::PathBuf,
    preload: Preload,
}

fn field() -> Field {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let preload = Preload::create(folder.path(), &data, 1).unwrap();
    Field { _folder: folder, data, preload }
}

impl Field {
    fn run(&self, program: &str, args: &[&str], input: &[u8]) -> Output {
        use std::io::Write;
        use std::process::Stdio;
        let mut child = Command::new(program)
            .args(args)
            .current_dir(&self.data)
            .envs(self.preload.env())
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    fn dd(&self, to: &str) -> Output {
        let to = format!("of={to}");
        self.run("dd", &[&to, "bs=1000", "conv=fsync", "iflag=fullblock"], &[7; 5000])
    }
}

fn len(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

#[test]
fn an_untouched_page_changes_nothing_and_counts_syncs() {
    let field = field();
    assert!(field.dd("file").status.success());
    assert_eq!(len(&field.data.join("file")), 5000);
    assert_eq!((field.preload.counts().fsyncs, field.preload.loaded()), (1, 1));
    assert_eq!(field.preload.reading().skewed, 0);
}

#[test]
fn a_lie_is_not_noticed_and_a_failure_is() {
    let field = field();
    field.preload.break_disk(DiskFault::FsyncLies);
    assert!(field.dd("file").status.success());
    assert_eq!(field.preload.counts().fsyncs_lied, 1);
    field.preload.break_disk(DiskFault::FsyncFails);
    assert!(!field.dd("file").status.success());
    assert_eq!(field.preload.counts().fsyncs_failed, 1);
    field.preload.mend_disk();
    assert!(field.dd("file").status.success());
    assert_eq!((field.preload.counts().fsyncs_lied, field.preload.counts().fsyncs_failed), (1, 1));
}

#[test]
fn a_disk_that_fills_up_takes_what_fits_and_leaves_other_disks_alone() {
    let field = field();
    field.preload.break_disk(DiskFault::Full { bytes_left: 2500 });
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    assert!(field.dd(&elsewhere.path().to_string_lossy()).status.success());
    let full = field.dd("file");
    assert!(String::from_utf8_lossy(&full.stderr).contains("No space left on device"), "{full:?}");
    assert_eq!(len(&field.data.join("file")), 2500);
    assert!(field.preload.counts().writes_full > 0);
}

#[test]
fn reads_and_writes_fail_or_are_held_up() {
    let field = field();
    assert!(field.dd("file").status.success());
    field.preload.break_disk(DiskFault::ReadsFail { ppm: 1_000_000 });
    let cat = field.run("cat", &["file"], b"");
    assert!(String::from_utf8_lossy(&cat.stderr).contains("Input/output error"), "{cat:?}");
    field.preload.break_disk(DiskFault::WritesFail { ppm: 1_000_000 });
    assert!(String::from_utf8_lossy(&field.dd("file").stderr).contains("Input/output error"));
    field.preload.break_disk(DiskFault::Slow { us: 20_000 });
    let began = std::time::Instant::now();
    assert!(field.dd("file").status.success());
    assert!(began.elapsed() >= Duration::from_millis(100), "five writes of 20 ms");
    let counts = field.preload.counts();
    assert!(counts.reads_failed > 0 && counts.writes_failed > 0 && counts.slowed >= 5);
}

#[test]
fn a_sync_that_hangs_goes_on_when_the_disk_is_mended() {
    let field = field();
    field.preload.break_disk(DiskFault::FsyncHangs);
    std::thread::scope(|scope| {
        let hung = scope.spawn(|| field.dd("file"));
        while field.preload.counts().fsyncs_slowed == 0 {
            std::thread::yield_now();
        }
        assert!(!hung.is_finished());
        field.preload.mend_disk();
        assert!(hung.join().unwrap().status.success());
    });
}

#[test]
fn the_wall_clock_jumps_there_and_back_and_the_monotonic_one_does_not() {
    let field = field();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let told = || {
        let date = field.run("date", &["+%s.%N"], b"");
        String::from_utf8_lossy(&date.stdout).trim().parse::<f64>().unwrap()
    };
    for ms in [3_600_000, -86_400_000, 0] {
        field.preload.skew((ms != 0).then_some(Skew::Jump { ms }));
        let (before, told, after) = (now(), told(), now());
        let skew = ms as f64 / 1000.0;
        assert!(before + skew <= told && told <= after + skew, "{ms}: {before} {told} {after}");
    }
    field.preload.skew(Some(Skew::Jump { ms: 3_600_000 }));
    let began = std::time::Instant::now();
    assert!(field.run("timeout", &["60", "sleep", "0.05"], b"").status.success());
    assert!(began.elapsed() < Duration::from_secs(50));
}

#[test]
fn a_drift_grows_and_a_strobe_comes_and_goes() {
    let field = field();
    field.preload.skew(Some(Skew::Drift { ppm: 500_000 }));
    field.run("date", &[], b"");
    let first = field.preload.reading().ahead_ms;
    field.run("sh", &["-c", "sleep 0.2; date"], b"");
    assert!(field.preload.reading().ahead_ms >= first + 100);
    field.preload.skew(Some(Skew::Strobe { ms: -5000, every_ms: 20 }));
    let out = field.run("sh", &["-c", "for i in $(seq 60); do date +%s; done"], b"");
    let times: Vec<i64> = String::from_utf8_lossy(&out.stdout).lines().map(|line| line.parse().unwrap()).collect();
    let (low, high) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(high - low >= 4, "{times:?}");
    assert_eq!(field.preload.reading().behind_ms, -5000);
}
