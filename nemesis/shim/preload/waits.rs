//! Waits until a moment of the wall clock: the program computed it from the clock it was told, the kernel compares it with the right
//! one. Every such end is put right, or a process whose clock is ahead would wait for as long as it is.
//!
//! A moment beyond 2001 is one of the wall clock: no machine has been up for that long.

use crate::clock::{BILLION, Timespec, off};
use crate::page::count;
use crate::{counted, page, sys};
use core::ffi::{CStr, c_int, c_long, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// The end as the kernel should have it, if it has to be another one.
unsafe fn corrected(end: *const Timespec) -> Option<Timespec> {
    let end = *end.as_ref()?;
    let off = off();
    if off == 0 || end.seconds < BILLION {
        return None;
    }
    if let Some(page) = page() {
        counted(page, count::WAITS_CORRECTED);
    }
    // Before 1970 is long over; the kernel does not take it.
    Some(end.plus(off.saturating_neg())).map(|end| if end.seconds < 0 { Timespec::default() } else { end })
}

/// A function of the C library after ours, looked for once.
unsafe fn next(known: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    let found = known.load(Relaxed);
    if !found.is_null() {
        return found;
    }
    // Conditions of before 2003 have another layout under the same name: their version must not be found.
    let mut found = null_mut();
    if name.to_bytes().starts_with(b"pthread_cond_") {
        found = sys::dlvsym(sys::RTLD_NEXT, name.as_ptr(), c"GLIBC_2.3.2".as_ptr());
    }
    if found.is_null() {
        found = sys::dlsym(sys::RTLD_NEXT, name.as_ptr());
    }
    known.store(found, Relaxed);
    found
}

macro_rules! waits {
    ($($name:ident($($arg:ident: $type:ty),*; $end:ident);)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type,)* $end: *const Timespec) -> c_int {
            static NEXT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
            const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => c"",
            };
            let next: unsafe extern "C" fn($($type,)* *const Timespec) -> c_int =
                core::mem::transmute::<*mut c_void, _>(next(&NEXT, NAME));
            let corrected = corrected($end);
            next($($arg,)* corrected.as_ref().map_or($end, |end| &raw const *end))
        }
    )*};
}

waits! {
    pthread_cond_timedwait(condition: *mut c_void, mutex: *mut c_void; end);
    pthread_mutex_timedlock(mutex: *mut c_void; end);
    pthread_rwlock_timedrdlock(lock: *mut c_void; end);
    pthread_rwlock_timedwrlock(lock: *mut c_void; end);
    pthread_timedjoin_np(thread: usize, value: *mut *mut c_void; end);
    sem_timedwait(semaphore: *mut c_void; end);
}

/// Says which clock it means.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_cond_clockwait(
    condition: *mut c_void,
    mutex: *mut c_void,
    clock: c_int,
    end: *const Timespec,
) -> c_int {
    type Wait = unsafe extern "C" fn(*mut c_void, *mut c_void, c_int, *const Timespec) -> c_int;
    static NEXT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    let found = next(&NEXT, c"pthread_cond_clockwait");
    if found.is_null() {
        // Newer than this C library: whoever calls it has asked for it and was told.
        return ENOSYS;
    }
    let next = core::mem::transmute::<*mut c_void, Wait>(found);
    let corrected = if clock == 0 { corrected(end) } else { None };
    next(condition, mutex, clock, corrected.as_ref().map_or(end, |end| &raw const *end))
}

const ENOSYS: c_int = 38;
const ABSOLUTE: c_int = 1;

/// Tells its error as its value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_nanosleep(
    clock: c_int,
    flags: c_int,
    end: *const Timespec,
    left: *mut Timespec,
) -> c_int {
    let corrected = if clock == 0 && flags & ABSOLUTE != 0 { corrected(end) } else { None };
    let end = corrected.as_ref().map_or(end, |end| &raw const *end);
    let errno = sys::errno();
    let done = sys::syscall(sys::CLOCK_NANOSLEEP, c_long::from(clock), c_long::from(flags), end, left);
    let told = sys::errno();
    sys::set_errno(errno);
    if done == 0 { 0 } else { told }
}

/// Period and first end of a timer.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Itimerspec {
    period: Timespec,
    end: Timespec,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn timerfd_settime(
    fd: c_int,
    flags: c_int,
    new: *const Itimerspec,
    old: *mut Itimerspec,
) -> c_int {
    let mut set = new;
    let mut own = Itimerspec { period: Timespec::default(), end: Timespec::default() };
    if let (Some(asked), true) = (new.as_ref(), flags & ABSOLUTE != 0)
        && let Some(end) = corrected(&raw const asked.end)
    {
        own = Itimerspec { end, ..*asked };
        set = &raw const own;
    }
    let _ = &own;
    sys::syscall(sys::TIMERFD_SETTIME, c_long::from(fd), c_long::from(flags), set, old) as c_int
}
