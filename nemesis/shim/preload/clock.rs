//! The wall clock, wrong by as much as the page says.

use crate::page::{Page, count};
use crate::{counted, page, sys};
use core::ffi::{c_int, c_long, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::Acquire, Ordering::Relaxed};

pub const BILLION: i64 = 1_000_000_000;
const REALTIME: c_int = 0;
const MONOTONIC: c_int = 1;
const REALTIME_COARSE: c_int = 5;
const REALTIME_ALARM: c_int = 8;
const TAI: c_int = 11;

/// Seconds and nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Timespec {
    pub seconds: i64,
    pub nanos: i64,
}

impl Timespec {
    /// So many nanoseconds later.
    pub fn plus(self, ns: i64) -> Timespec {
        let all = i128::from(self.seconds) * i128::from(BILLION) + i128::from(self.nanos) + i128::from(ns);
        let billion = i128::from(BILLION);
        Timespec { seconds: all.div_euclid(billion) as i64, nanos: all.rem_euclid(billion) as i64 }
    }
}

type ClockGettime = unsafe extern "C" fn(c_int, *mut Timespec) -> c_int;

static NEXT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Finds the C library's own clock, which needs no system call.
pub unsafe fn find() {
    NEXT.store(sys::dlsym(sys::RTLD_NEXT, c"clock_gettime".as_ptr()), Relaxed);
}

#[inline(always)]
unsafe fn right(clock: c_int, to: *mut Timespec) -> c_int {
    let next = NEXT.load(Relaxed);
    if next.is_null() {
        return sys::syscall(sys::CLOCK_GETTIME, c_long::from(clock), to) as c_int;
    }
    core::mem::transmute::<*mut c_void, ClockGettime>(next)(clock, to)
}

/// How far the wall clock is off now, nanoseconds; 0 while it is right.
#[inline(always)]
pub fn off() -> i64 {
    match page() {
        Some(page) if page.clock_wrong.load(Relaxed) != 0 => off_of(page),
        _ => 0,
    }
}

#[cold]
fn off_of(page: &Page) -> i64 {
    let mut now = Timespec::default();
    // SAFETY: the pointer is to a timespec of ours.
    unsafe { right(MONOTONIC, &raw mut now) };
    off_at(page, now.seconds * BILLION + now.nanos)
}

/// The same at a moment of CLOCK_MONOTONIC. A change under way is waited for: it takes some stores.
fn off_at(page: &Page, monotonic_ns: i64) -> i64 {
    loop {
        let seq = page.clock_seq.load(Acquire);
        let off = off_once(page, monotonic_ns);
        if seq.is_multiple_of(2) && page.clock_seq.load(Acquire) == seq {
            return off;
        }
        core::hint::spin_loop();
    }
}

fn off_once(page: &Page, monotonic_ns: i64) -> i64 {
    let elapsed = monotonic_ns.saturating_sub(page.since_ns.load(Relaxed)).max(0);
    let drift = i128::from(elapsed) * i128::from(page.drift_ppb.load(Relaxed)) / i128::from(BILLION);
    let every = page.strobe_every_ns.load(Relaxed);
    let away = every > 0 && elapsed / every.max(1) % 2 == 0;
    let strobe = if away { page.strobe_ns.load(Relaxed) } else { 0 };
    page.offset_ns.load(Relaxed).saturating_add(drift as i64).saturating_add(strobe)
}

/// Notes what is told.
fn told(off: i64) {
    if let (Some(page), true) = (page(), off != 0) {
        counted(page, count::CLOCK_SKEWED);
        page.ahead_ns.fetch_max(off, Relaxed);
        page.behind_ns.fetch_min(off, Relaxed);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, to: *mut Timespec) -> c_int {
    let done = right(clock, to);
    if done == 0 && matches!(clock, REALTIME | REALTIME_COARSE | REALTIME_ALARM | TAI) {
        let off = off();
        if off != 0 {
            *to = (*to).plus(off);
            told(off);
        }
    }
    done
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(to: *mut Timespec, _zone: *mut c_void) -> c_int {
    let mut now = Timespec::default();
    if to.is_null() || clock_gettime(REALTIME, &raw mut now) != 0 {
        return 0;
    }
    *to = Timespec { seconds: now.seconds, nanos: now.nanos / 1000 };
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(to: *mut i64) -> i64 {
    let mut now = Timespec::default();
    clock_gettime(REALTIME_COARSE, &raw mut now);
    if !to.is_null() {
        *to = now.seconds;
    }
    now.seconds
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn timespec_get(to: *mut Timespec, base: c_int) -> c_int {
    const UTC: c_int = 1;
    if base == UTC && clock_gettime(REALTIME, to) == 0 { base } else { 0 }
}
