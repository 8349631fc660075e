//! The few things of the C library and the kernel that are needed, by name and number.

use core::ffi::{c_char, c_int, c_long, c_void};

unsafe extern "C" {
    pub fn syscall(number: c_long, ...) -> c_long;
    pub fn getenv(name: *const c_char) -> *const c_char;
    pub fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    pub fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
    fn __errno_location() -> *mut c_int;
}

#[link(name = "c")]
unsafe extern "C" {}

pub const EIO: c_int = 5;
pub const ENOSPC: c_int = 28;
pub const AT_FDCWD: c_long = -100;
pub const O_RDWR: c_int = 2;
pub const O_CLOEXEC: c_int = 0o2_000_000;
/// The next definition of a name after ours.
pub const RTLD_NEXT: *mut c_void = -1isize as *mut c_void;

#[cfg(target_arch = "x86_64")]
mod numbers {
    pub const READ: i64 = 0;
    pub const WRITE: i64 = 1;
    pub const CLOSE: i64 = 3;
    pub const MMAP: i64 = 9;
    pub const PREAD64: i64 = 17;
    pub const PWRITE64: i64 = 18;
    pub const READV: i64 = 19;
    pub const WRITEV: i64 = 20;
    pub const MSYNC: i64 = 26;
    pub const SENDFILE: i64 = 40;
    pub const FSYNC: i64 = 74;
    pub const FDATASYNC: i64 = 75;
    pub const NANOSLEEP: i64 = 35;
    pub const CLOCK_GETTIME: i64 = 228;
    pub const CLOCK_NANOSLEEP: i64 = 230;
    pub const OPENAT: i64 = 257;
    pub const READLINKAT: i64 = 267;
    pub const SYNC_FILE_RANGE: i64 = 277;
    pub const FALLOCATE: i64 = 285;
    pub const TIMERFD_SETTIME: i64 = 286;
    pub const PREADV: i64 = 295;
    pub const PWRITEV: i64 = 296;
    pub const SYNCFS: i64 = 306;
    pub const COPY_FILE_RANGE: i64 = 326;
    pub const PREADV2: i64 = 327;
    pub const PWRITEV2: i64 = 328;
}

#[cfg(target_arch = "aarch64")]
mod numbers {
    pub const READ: i64 = 63;
    pub const WRITE: i64 = 64;
    pub const CLOSE: i64 = 57;
    pub const MMAP: i64 = 222;
    pub const PREAD64: i64 = 67;
    pub const PWRITE64: i64 = 68;
    pub const READV: i64 = 65;
    pub const WRITEV: i64 = 66;
    pub const MSYNC: i64 = 227;
    pub const SENDFILE: i64 = 71;
    pub const FSYNC: i64 = 82;
    pub const FDATASYNC: i64 = 83;
    pub const NANOSLEEP: i64 = 101;
    pub const CLOCK_GETTIME: i64 = 113;
    pub const CLOCK_NANOSLEEP: i64 = 115;
    pub const OPENAT: i64 = 56;
    pub const READLINKAT: i64 = 78;
    pub const SYNC_FILE_RANGE: i64 = 84;
    pub const FALLOCATE: i64 = 47;
    pub const TIMERFD_SETTIME: i64 = 86;
    pub const PREADV: i64 = 69;
    pub const PWRITEV: i64 = 70;
    pub const SYNCFS: i64 = 267;
    pub const COPY_FILE_RANGE: i64 = 285;
    pub const PREADV2: i64 = 286;
    pub const PWRITEV2: i64 = 287;
}

pub use numbers::*;

/// The calling thread's errno.
pub fn errno() -> c_int {
    // SAFETY: the C library hands out a valid pointer for every thread.
    unsafe { *__errno_location() }
}

/// Sets it.
pub fn set_errno(errno: c_int) {
    // SAFETY: as above.
    unsafe { *__errno_location() = errno }
}

/// -1 with this errno: how a call fails.
pub fn fail(errno: c_int) -> c_long {
    set_errno(errno);
    -1
}

/// Lets time pass, whatever signals come in between.
pub fn sleep_us(us: u64) {
    let mut left = [(us / 1_000_000) as i64, (us % 1_000_000 * 1000) as i64];
    let errno = errno();
    // SAFETY: both pointers are to the same array of two, which nanosleep(2) allows.
    while unsafe { syscall(NANOSLEEP, &raw const left, &raw mut left) } == -1 {
        if self::errno() != EINTR {
            break;
        }
    }
    set_errno(errno);
}

const EINTR: c_int = 4;
