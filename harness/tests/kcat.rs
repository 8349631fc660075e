//! kcat (Debian's, librdkafka 2.0.2) against `stormglass cluster`: produce and read back, compressed and not.
//!
//! Skipped with a word where kcat is not installed, unless STORMGLASS_REQUIRE_KCAT is set, as CI does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const RECORDS: usize = 500;

struct Cluster {
    process: Child,
    bootstrap: String,
}

impl Cluster {
    fn start() -> Cluster {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
        let mut process = command.arg("cluster").stdout(Stdio::piped()).spawn().expect("the program was just built");
        let output = process.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines();
        let line = lines.find_map(|l| l.ok()?.strip_prefix("bootstrap.servers").map(|b| b.trim().to_owned()));
        Cluster { process, bootstrap: line.expect("it says where it answers") }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

fn kcat(cluster: &Cluster, args: &[&str], input: &str) -> String {
    let mut command = Command::new("kcat");
    command.args(["-b", &cluster.bootstrap, "-t", "stormglass"]).args(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("kcat is installed");
    child.stdin.take().expect("its input is piped").write_all(input.as_bytes()).expect("it reads its input");
    let output = child.wait_with_output().expect("kcat ends");
    assert!(output.status.success(), "kcat {args:?} ended with {}", output.status);
    String::from_utf8(output.stdout).expect("it prints what it was given")
}

#[test]
fn kcat_reads_back_what_it_produced_with_every_codec() {
    if Command::new("kcat").arg("-V").output().is_err() {
        assert!(std::env::var_os("STORMGLASS_REQUIRE_KCAT").is_none(), "kcat is required here and not installed");
        eprintln!("SKIPPED: kcat is not installed");
        return;
    }
    let cluster = Cluster::start();
    let mut sent = Vec::new();
    for (partition, codec) in CODECS.iter().enumerate().map(|(i, codec)| (i % 4, codec)) {
        let lines: Vec<String> = (0..RECORDS).map(|n| format!("{codec}-{n}-{}", "x".repeat(n % 50))).collect();
        kcat(&cluster, &["-P", "-z", codec, "-p", &partition.to_string()], &(lines.join("\n") + "\n"));
        sent.extend(lines);
    }
    let read = kcat(&cluster, &["-C", "-e", "-q", "-o", "beginning"], "");
    let mut read: Vec<&str> = read.lines().collect();
    sent.sort_unstable();
    read.sort_unstable();
    assert_eq!(read, sent);
}
