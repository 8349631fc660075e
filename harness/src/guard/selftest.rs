//! The guard's promise, tried on real processes: a program of its own, because a guard must be re-executed and a
//! controller must be killable.
//!
//! `selftest guard` is a guard, `selftest controller DIR` a controller that starts one of everything and waits to be
//! killed; without arguments it runs the cases. No case depends on timing: each waits for a condition with a deadline
//! far beyond the promise, and measures.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, dead_code, unused_imports)]

#[path = "mod.rs"]
mod guard;

use guard::{ChildSpec, Ended, Event, Grouping, Guard, GuardError, Signal, Spawned, proc};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);
const PROMISE: Duration = Duration::from_secs(1);
const KILLS: usize = 20;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("guard") => std::process::exit(guard::process::main()),
        Some("controller") => controller(Path::new(&args[2])),
        _ => cases(),
    }
}

fn cases() {
    let dir = std::env::temp_dir().join(format!("guard-selftest-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    for (name, case) in [
        ("a child's exit is reported with its code or signal", exits as fn(&Path)),
        ("a program that cannot be executed is an error with its errno", exec_failure),
        ("a child inherits no descriptor, no mask, no ignored signal", inheritance),
        ("a stopped child shows it and continues", stop_and_continue),
        ("an ended child cannot be signalled", signal_after_exit),
        ("shutdown and drop leave nobody", shutdown_and_drop),
        ("a guard that dies is reported and takes its children along", guard_killed),
        ("the terminal's signals do not reach the guard", deaf_to_the_terminal),
        ("a killed controller leaves nobody within the promise", controller_killed),
    ] {
        case(&dir);
        println!("ok: {name}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A token that every process of a case carries in its arguments or is found under.
fn shell(dir: &Path, script: &str, grouping: Grouping) -> ChildSpec {
    ChildSpec {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into(), mark(dir)],
        env: BTreeMap::new(),
        cwd: Some(dir.to_path_buf()),
        stdout: dir.join("out"),
        stderr: dir.join("out"),
        grouping,
        serves: None,
    }
}

fn mark(dir: &Path) -> String {
    dir.display().to_string()
}

fn start() -> Guard {
    Guard::start(&std::env::current_exe().unwrap()).unwrap()
}

/// The guard is the only child a controller has.
fn guard_pid() -> String {
    let is_guard = |stat: &proc::Stat| stat.parent == std::process::id() && stat.state != 'Z';
    proc::all().unwrap().into_iter().find(is_guard).unwrap().pid.to_string()
}

fn exit_of(guard: &Guard, spawned: Spawned) -> Ended {
    match guard.events().recv_timeout(DEADLINE).unwrap() {
        Event::Exited(exited) => {
            assert_eq!((exited.child, exited.pid), (spawned.child, spawned.pid));
            exited.ended
        }
        Event::GuardGone => panic!("the guard is gone"),
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        std::thread::yield_now();
    }
}

/// Every process that works in `dir`: what a case started, however detached.
fn alive_in(dir: &Path) -> Vec<u32> {
    let works_here = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == dir);
    proc::all().unwrap().into_iter().map(|s| s.pid).filter(works_here).collect()
}

fn fresh(dir: &Path) -> PathBuf {
    let fresh = dir.join("case");
    let _ = std::fs::remove_dir_all(&fresh);
    std::fs::create_dir_all(&fresh).unwrap();
    fresh
}

fn exits(dir: &Path) {
    let mut guard = start();
    let ends_with_7 = guard.spawn(shell(dir, "exit 7", Grouping::Group)).unwrap();
    assert_eq!(exit_of(&guard, ends_with_7), Ended::Code(7));
    for (signal, number) in [(Signal::Kill, 9), (Signal::Terminate, 15)] {
        let waits = guard.spawn(shell(dir, "exec sleep 1000", Grouping::Session)).unwrap();
        guard.signal(waits.child, signal).unwrap();
        assert_eq!(exit_of(&guard, waits), Ended::Signal(number));
    }
}

fn exec_failure(dir: &Path) {
    let mut guard = start();
    let mut spec = shell(dir, "", Grouping::Group);
    spec.program = "/nonexistent/broker".into();
    assert!(matches!(guard.spawn(spec), Err(GuardError::Failed { errno: 2, .. })));
    let mut spec = shell(dir, "", Grouping::Group);
    spec.program = "/etc/passwd".into();
    assert!(matches!(guard.spawn(spec), Err(GuardError::Failed { errno: 13, .. })));
    let mut spec = shell(dir, "", Grouping::Group);
    spec.stdout = "/nonexistent/out".into();
    assert!(
        matches!(guard.spawn(spec), Err(GuardError::Failed { errno: 2, what }) if what.contains("/nonexistent/out"))
    );
    let mut spec = shell(dir, "", Grouping::Group);
    spec.args.push("x".repeat(2 << 20));
    assert!(matches!(guard.spawn(spec), Err(GuardError::Send(_))));
    let fine = guard.spawn(shell(dir, "exit 0", Grouping::Group)).unwrap();
    assert_eq!(exit_of(&guard, fine), Ended::Code(0));
}

fn inheritance(dir: &Path) {
    let mut guard = start();
    let script =
        "ls -l /proc/self/fd > fds; grep -E 'Sig(Blk|Ign)' /proc/self/status > signals; echo \"$A-$HOME\" > env";
    let mut spec = shell(dir, script, Grouping::Group);
    spec.env = BTreeMap::from([("A".into(), Some("set".into())), ("HOME".into(), None)]);
    let child = guard.spawn(spec).unwrap();
    assert_eq!(exit_of(&guard, child), Ended::Code(0));
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert!(!read("fds").contains("socket") && !read("fds").contains("anon_inode"), "{}", read("fds"));
    // The two signals above 31 belong to the C library, which lets nobody set them.
    let settable = |line: &str| u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap() & 0x7FFF_FFFF;
    assert!(read("signals").lines().all(|line| settable(line) == 0), "{}", read("signals"));
    assert_eq!(read("env").trim(), "set-");
}

fn stop_and_continue(dir: &Path) {
    let mut guard = start();
    let child = guard.spawn(shell(dir, "exec sleep 1000", Grouping::Group)).unwrap();
    assert_eq!(proc::Stat::read(child.pid).unwrap().start_time, child.start_time);
    let state = || proc::Stat::read(child.pid).unwrap().state;
    guard.signal(child.child, Signal::Stop).unwrap();
    until("state T", || state() == 'T');
    guard.signal(child.child, Signal::Continue).unwrap();
    until("state S", || state() == 'S');
}

fn signal_after_exit(dir: &Path) {
    let mut guard = start();
    let child = guard.spawn(shell(dir, "exit 0", Grouping::Group)).unwrap();
    exit_of(&guard, child);
    assert!(matches!(guard.signal(child.child, Signal::Kill), Err(GuardError::NoSuchChild)));
}

/// One of everything: plain, in its own session, stopped, with detached and orphaned descendants, stopped ones too.
fn one_of_everything(guard: &mut Guard, dir: &Path) {
    let scripts = [
        "exec sleep 1000",
        "setsid sh -c 'sleep 1000 & (setsid sleep 1000 &) ; sleep 1000'",
        "(sleep 1000 & sleep 1000 &) ; setsid sh -c 'kill -STOP $$' & sleep 1000",
        "trap '' TERM INT HUP; while :; do sleep 1000; done",
        "(setsid sh -c 'setsid sleep 1000 & setsid sleep 1000 & wait' &) ; exit 0",
    ];
    for script in scripts {
        guard.spawn(shell(dir, script, Grouping::Group)).unwrap();
    }
    let stopped = guard.spawn(shell(dir, "sleep 1000 & sleep 1000", Grouping::Session)).unwrap();
    guard.signal(stopped.child, Signal::Stop).unwrap();
}

fn shutdown_and_drop(dir: &Path) {
    let case = fresh(dir);
    let mut guard = start();
    one_of_everything(&mut guard, &case);
    until("everything runs", || alive_in(&case).len() >= 12);
    let (killed, events) = guard.shutdown().unwrap();
    assert!(killed >= 12 && events.len() == 6, "{killed} killed, {events:?}");
    assert!(alive_in(&case).is_empty());

    let mut guard = start();
    one_of_everything(&mut guard, &case);
    drop(guard);
    assert!(alive_in(&case).is_empty());
}

fn guard_killed(dir: &Path) {
    let case = fresh(dir);
    let mut guard = start();
    guard.spawn(shell(&case, "exec sleep 1000", Grouping::Group)).unwrap();
    Command::new("kill").args(["-9", &guard_pid()]).status().unwrap();
    assert_eq!(guard.events().recv_timeout(DEADLINE), Ok(Event::GuardGone));
    assert!(matches!(guard.spawn(shell(&case, "exit 0", Grouping::Group)), Err(GuardError::Gone)));
    until("the child of a dead guard is dead", || alive_in(&case).is_empty());
}

fn deaf_to_the_terminal(dir: &Path) {
    let mut guard = start();
    for signal in ["-INT", "-TERM", "-HUP"] {
        Command::new("kill").args([signal, &guard_pid()]).status().unwrap();
    }
    let child = guard.spawn(shell(dir, "exit 3", Grouping::Group)).unwrap();
    assert_eq!(exit_of(&guard, child), Ended::Code(3));
}

fn controller(dir: &Path) {
    let mut guard = start();
    one_of_everything(&mut guard, dir);
    let storm = "i=0; while [ $i -lt 30 ]; do setsid sh -c 'sleep 1000 & sleep 1000' & i=$((i+1)); done; wait";
    guard.spawn(shell(dir, storm, Grouping::Group)).unwrap();
    println!("ready");
    while guard.events().recv().is_ok() {}
}

fn controller_killed(dir: &Path) {
    let case = fresh(dir);
    let mut slowest = Duration::ZERO;
    for round in 0..KILLS {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut controller = command.arg("controller").arg(&case).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 1];
        controller.stdout.take().unwrap().read_exact(&mut said).unwrap();
        // Every other round kills while the children are still forking.
        if round % 2 == 0 {
            until("everything runs", || alive_in(&case).len() >= 12);
        }
        let killed = Instant::now();
        controller.kill().unwrap();
        controller.wait().unwrap();
        until("nobody is left", || alive_in(&case).is_empty());
        slowest = slowest.max(killed.elapsed());
    }
    assert!(slowest < PROMISE, "{slowest:?}");
    println!("    {KILLS} kills, the slowest left nobody after {slowest:?}");
}
