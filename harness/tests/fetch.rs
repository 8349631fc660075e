//! Fetching a release without Maven: the archive and its digest from a mirror on the loopback address, checked before it counts.
//!
//! The mirror holds an archive with one empty jar, and `java` is a script that fails: what is tested is what lies in the cache
//! and what is said, not Kafka.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const VERSION: &str = "9.8.7";

/// Serves the files below `folder` until the test ends.
fn mirror(folder: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("a port");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
            let asked = reader.read_line(&mut line);
            let mut header = String::new();
            while reader.read_line(&mut header).is_ok_and(|bytes| bytes > 2) {
                header.clear();
            }
            let path = line.split(' ').nth(1).filter(|_| asked.is_ok()).unwrap_or("/none").trim_start_matches('/');
            let (status, body) = match fs::read(folder.join(path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    address
}

/// A release in a mirror's layout; `digest` makes what its digest file says of what is right.
fn publish(folder: &Path, digest: impl Fn(&str) -> String) {
    let name = format!("kafka_2.13-{VERSION}");
    let libs = folder.join("tree").join(&name).join("libs");
    fs::create_dir_all(&libs).expect("a folder");
    fs::write(libs.join(format!("{name}.jar")), b"").expect("a jar");
    let there = folder.join(VERSION);
    fs::create_dir(&there).expect("a folder");
    let archive = there.join(format!("{name}.tgz"));
    let tar = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(folder.join("tree")).arg(&name).status();
    assert!(tar.expect("tar is there").success());
    let told = Command::new("sha512sum").arg(&archive).output().expect("sha512sum is there").stdout;
    let right = String::from_utf8(told).expect("digits").split(' ').next().unwrap_or_default().to_owned();
    fs::write(there.join(format!("{name}.tgz.sha512")), digest(&right)).expect("a digest");
}

/// A path on which there are curl, tar and a `java` that fails, and no `mvn`.
fn path_without_maven(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("a folder");
    for name in ["curl", "tar", "gzip", "sh"] {
        let all = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&all).map(|folder| folder.join(name)).find(|path| path.is_file());
        symlink(found.unwrap_or_else(|| panic!("{name} is needed")), bin.join(name)).expect("a link");
    }
    fs::write(bin.join("java"), "#!/bin/sh\necho this is no Java\nexit 1\n").expect("a script");
    fs::set_permissions(bin.join("java"), fs::Permissions::from_mode(0o755)).expect("a script");
    bin
}

fn fetch(folder: &Path, version: &str, mirror: SocketAddr) -> Output {
    let bin = folder.join("bin");
    let bin = if bin.is_dir() { bin } else { path_without_maven(folder) };
    Command::new(env!("CARGO_BIN_EXE_stormglass"))
        .args(["fetch", "kafka", version])
        .env("PATH", bin)
        .env_remove("JAVA_HOME")
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("STORMGLASS_KAFKA_MIRROR", format!("http://{mirror}"))
        .output()
        .expect("the program was just built")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn an_archive_that_is_what_its_digest_says_is_unpacked_into_the_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    publish(folder.path(), |right| format!("kafka_2.13-{VERSION}.tgz: {}\n", right.to_uppercase()));
    let told = fetch(folder.path(), VERSION, mirror(folder.path().to_owned()));
    let jar = format!("cache/stormglass/kafka/{VERSION}/libs/kafka_2.13-{VERSION}.jar");
    assert!(folder.path().join(jar).is_file(), "{}", text(&told));
    // What comes next needs a Java that is one.
    assert_eq!(told.status.code(), Some(69), "{}", text(&told));
    assert!(text(&told).contains("this is no Java"), "{}", text(&told));
}

#[test]
fn an_archive_that_is_not_what_its_digest_says_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    publish(folder.path(), |right| right.chars().rev().collect());
    let told = fetch(folder.path(), VERSION, mirror(folder.path().to_owned()));
    assert_eq!(told.status.code(), Some(69), "{}", text(&told));
    assert!(text(&told).contains("is not what its digest says"), "{}", text(&told));
    assert!(!folder.path().join(format!("cache/stormglass/kafka/{VERSION}")).exists(), "nothing of it is kept");
}

#[test]
fn a_release_that_the_mirror_does_not_have_is_told_as_such() {
    let folder = tempfile::tempdir().expect("a folder");
    publish(folder.path(), str::to_owned);
    let address = mirror(folder.path().to_owned());
    let told = fetch(folder.path(), "9.9.9", address);
    assert_eq!(told.status.code(), Some(69), "{}", text(&told));
    assert!(text(&told).contains("there is no Apache Kafka 9.9.9"), "{}", text(&told));
    let half = fetch(folder.path(), "9.9", address);
    assert_eq!(half.status.code(), Some(64), "{}", text(&half));
}
