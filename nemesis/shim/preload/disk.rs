//! Reads, writes and syncs.

use crate::page::{Page, UNLIMITED, count, fsync};
use crate::sys::{self, fail};
use crate::{counted, folder, page};
use core::ffi::{c_int, c_long, c_uint, c_void};
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

const MILLION: u64 = 1_000_000;
const LOOK_US: u64 = 2_000;
const PATH_BYTES: usize = 512;

/// The page, if the disk is broken and the descriptor is one of its files.
#[inline(always)]
fn broken(fd: c_int) -> Option<&'static Page> {
    let page = page()?;
    if page.disk_broken.load(Relaxed) != 0 && is_ours(fd) { Some(page) } else { None }
}

/// True if the descriptor is of a file below the folder. Asks the kernel.
#[cold]
fn is_ours(fd: c_int) -> bool {
    let folder = folder();
    if folder.is_empty() || fd < 0 {
        return false;
    }
    let mut link = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0";
    let (mut at, mut rest) = (14, fd);
    let digits = core::iter::successors(Some(fd / 10), |n| Some(n / 10)).take_while(|n| *n > 0).count() + 1;
    for place in (0..digits).rev() {
        link[14 + place] = b'0' + (rest % 10) as u8;
        rest /= 10;
        at += 1;
    }
    link[at] = 0;
    let mut path = [0u8; PATH_BYTES];
    let errno = sys::errno();
    // SAFETY: `link` ends with 0; the kernel writes at most as many bytes as `path` has.
    let len = unsafe { sys::syscall(sys::READLINKAT, sys::AT_FDCWD, link.as_ptr(), path.as_mut_ptr(), PATH_BYTES) };
    sys::set_errno(errno);
    let path = &path[..len.max(0) as usize];
    path.len() > folder.len() && path.starts_with(folder) && path[folder.len()] == b'/'
}

fn strikes(page: &Page, ppm: u64) -> bool {
    let mut x = page.random.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ (x >> 31)) % MILLION < ppm
}

fn slow(page: &Page) {
    let us = page.slow_us.load(Relaxed);
    if us > 0 {
        counted(page, count::SLOWED);
        sys::sleep_us(us);
    }
}

/// Whether a read may go on.
fn may_read(page: &Page) -> bool {
    counted(page, count::READS);
    slow(page);
    let ppm = page.reads_fail_ppm.load(Relaxed);
    let fails = ppm > 0 && strikes(page, ppm.into());
    if fails {
        counted(page, count::READS_FAILED);
    }
    !fails
}

/// How many of `len` bytes may be written, or the error.
fn may_write(page: &Page, len: usize) -> Result<usize, c_int> {
    counted(page, count::WRITES);
    slow(page);
    let ppm = page.writes_fail_ppm.load(Relaxed);
    if ppm > 0 && strikes(page, ppm.into()) {
        counted(page, count::WRITES_FAILED);
        return Err(sys::EIO);
    }
    take_space(page, len)
}

fn take_space(page: &Page, len: usize) -> Result<usize, c_int> {
    if page.space_left.load(Relaxed) == UNLIMITED || len == 0 {
        return Ok(len);
    }
    let wanted = i64::try_from(len).unwrap_or(i64::MAX);
    let left = page.space_left.fetch_sub(wanted, AcqRel);
    if left >= wanted {
        return Ok(len);
    }
    let granted = left.clamp(0, wanted);
    page.space_left.fetch_add(wanted - granted, AcqRel);
    counted(page, count::WRITES_FULL);
    if granted > 0 { Ok(granted as usize) } else { Err(sys::ENOSPC) }
}

/// What a sync does instead of syncing; `None`: it goes on.
fn sync_instead(fd: c_int) -> Option<c_long> {
    counted(page()?, count::FSYNCS);
    sync_wrong(broken(fd)?)
}

fn sync_wrong(page: &Page) -> Option<c_long> {
    match page.fsync_mode.load(Relaxed) {
        fsync::LIE => {
            counted(page, count::FSYNCS_LIED);
            Some(0)
        }
        fsync::FAIL => {
            counted(page, count::FSYNCS_FAILED);
            Some(fail(sys::EIO))
        }
        fsync::SLOW => {
            counted(page, count::FSYNCS_SLOWED);
            sys::sleep_us(page.fsync_us.load(Relaxed));
            None
        }
        fsync::HANG => {
            counted(page, count::FSYNCS_SLOWED);
            while page.fsync_mode.load(Relaxed) == fsync::HANG {
                sys::sleep_us(LOOK_US);
            }
            None
        }
        _ => None,
    }
}

/// A buffer of `readv` and `writev`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IoVec {
    base: *mut c_void,
    len: usize,
}

const VECTORS_MAX: usize = 64;

unsafe fn total(vectors: *const IoVec, count: c_int) -> usize {
    (0..count.max(0) as usize).map(|at| (*vectors.add(at)).len).fold(0, usize::saturating_add)
}

/// Calls `go` with as many of the vectors as make `len` bytes; the last of them may be cut.
unsafe fn first_bytes(
    vectors: *const IoVec,
    count: c_int,
    len: usize,
    go: impl FnOnce(*const IoVec, c_int) -> c_long,
) -> c_long {
    let mut cut = [IoVec { base: core::ptr::null_mut(), len: 0 }; VECTORS_MAX];
    let (mut used, mut left) = (0, len);
    while left > 0 && used < VECTORS_MAX.min(count.max(0) as usize) {
        cut[used] = *vectors.add(used);
        cut[used].len = cut[used].len.min(left);
        left -= cut[used].len;
        used += 1;
    }
    go(cut.as_ptr(), used as c_int)
}

macro_rules! reads {
    ($($name:ident($fd:ident $(, $arg:ident: $type:ty)*) = $number:ident($($pass:expr),*);)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($fd: c_int $(, $arg: $type)*) -> c_long {
            if let Some(page) = broken($fd)
                && !may_read(page)
            {
                return fail(sys::EIO);
            }
            sys::syscall(sys::$number, c_long::from($fd), $($pass),*)
        }
    )*};
}

reads! {
    read(fd, to: *mut c_void, len: usize) = READ(to, len);
    __read_chk(fd, to: *mut c_void, len: usize, _size: usize) = READ(to, len);
    pread(fd, to: *mut c_void, len: usize, at: i64) = PREAD64(to, len, at);
    pread64(fd, to: *mut c_void, len: usize, at: i64) = PREAD64(to, len, at);
    __pread_chk(fd, to: *mut c_void, len: usize, at: i64, _size: usize) = PREAD64(to, len, at);
    __pread64_chk(fd, to: *mut c_void, len: usize, at: i64, _size: usize) = PREAD64(to, len, at);
    readv(fd, to: *const IoVec, count: c_int) = READV(to, c_long::from(count));
    preadv(fd, to: *const IoVec, count: c_int, at: i64) = PREADV(to, c_long::from(count), at, 0i64);
    preadv64(fd, to: *const IoVec, count: c_int, at: i64) = PREADV(to, c_long::from(count), at, 0i64);
    preadv2(fd, to: *const IoVec, count: c_int, at: i64, flags: c_int)
        = PREADV2(to, c_long::from(count), at, 0i64, c_long::from(flags));
    preadv64v2(fd, to: *const IoVec, count: c_int, at: i64, flags: c_int)
        = PREADV2(to, c_long::from(count), at, 0i64, c_long::from(flags));
}

macro_rules! writes {
    ($($name:ident(fd, from, len $(, $arg:ident: $type:ty)*) = $number:ident($($pass:expr),*);)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(fd: c_int, from: *const c_void, len: usize $(, $arg: $type)*) -> c_long {
            let len = match broken(fd).map(|page| may_write(page, len)) {
                None => len,
                Some(Ok(len)) => len,
                Some(Err(errno)) => return fail(errno),
            };
            sys::syscall(sys::$number, c_long::from(fd), from, len, $($pass),*)
        }
    )*};
}

writes! {
    write(fd, from, len) = WRITE();
    pwrite(fd, from, len, at: i64) = PWRITE64(at);
    pwrite64(fd, from, len, at: i64) = PWRITE64(at);
}

macro_rules! vector_writes {
    ($($name:ident(fd, from, count $(, $arg:ident: $type:ty)*) = $number:ident($($pass:expr),*);)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(fd: c_int, from: *const IoVec, count: c_int $(, $arg: $type)*) -> c_long {
            let go = |from: *const IoVec, count: c_int| sys::syscall(sys::$number, c_long::from(fd), from, c_long::from(count), $($pass),*);
            let Some(page) = broken(fd) else { return go(from, count) };
            let len = total(from, count);
            match may_write(page, len) {
                Ok(granted) if granted == len => go(from, count),
                Ok(granted) => first_bytes(from, count, granted, go),
                Err(errno) => fail(errno),
            }
        }
    )*};
}

vector_writes! {
    writev(fd, from, count) = WRITEV();
    pwritev(fd, from, count, at: i64) = PWRITEV(at, 0i64);
    pwritev64(fd, from, count, at: i64) = PWRITEV(at, 0i64);
    pwritev2(fd, from, count, at: i64, flags: c_int) = PWRITEV2(at, 0i64, c_long::from(flags));
    pwritev64v2(fd, from, count, at: i64, flags: c_int) = PWRITEV2(at, 0i64, c_long::from(flags));
}

macro_rules! syncs {
    ($($name:ident(fd $(, $arg:ident: $type:ty)*) = $number:ident($($pass:expr),*);)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(fd: c_int $(, $arg: $type)*) -> c_int {
            if let Some(told) = sync_instead(fd) {
                return told as c_int;
            }
            sys::syscall(sys::$number, c_long::from(fd), $($pass),*) as c_int
        }
    )*};
}

syncs! {
    fsync(fd) = FSYNC();
    fdatasync(fd) = FDATASYNC();
    syncfs(fd) = SYNCFS();
    sync_file_range(fd, at: i64, len: i64, flags: c_uint) = SYNC_FILE_RANGE(at, len, c_long::from(flags));
}

/// A mapping has no descriptor: whatever is synced counts as the disk's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msync(at: *mut c_void, len: usize, flags: c_int) -> c_int {
    const SYNC: c_int = 4;
    if let Some(page) = page()
        && flags & SYNC != 0
    {
        counted(page, count::FSYNCS);
        let wrong = if page.disk_broken.load(Relaxed) != 0 { sync_wrong(page) } else { None };
        if let Some(told) = wrong {
            return told as c_int;
        }
    }
    sys::syscall(sys::MSYNC, at, len, c_long::from(flags)) as c_int
}

fn may_grow(fd: c_int, len: i64) -> bool {
    let Some(page) = broken(fd) else { return true };
    let wanted = usize::try_from(len).unwrap_or(0);
    let left = page.space_left.load(Relaxed);
    if left >= len {
        return take_space(page, wanted).is_ok();
    }
    counted(page, count::WRITES_FULL);
    false
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallocate(fd: c_int, mode: c_int, at: i64, len: i64) -> c_int {
    if mode == 0 && !may_grow(fd, len) {
        return fail(sys::ENOSPC) as c_int;
    }
    sys::syscall(sys::FALLOCATE, c_long::from(fd), c_long::from(mode), at, len) as c_int
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallocate64(fd: c_int, mode: c_int, at: i64, len: i64) -> c_int {
    fallocate(fd, mode, at, len)
}

/// Tells its error as its value and leaves errno alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_fallocate(fd: c_int, at: i64, len: i64) -> c_int {
    let errno = sys::errno();
    let done = fallocate(fd, 0, at, len);
    let told = sys::errno();
    sys::set_errno(errno);
    if done == 0 { 0 } else { told }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_fallocate64(fd: c_int, at: i64, len: i64) -> c_int {
    posix_fallocate(fd, at, len)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile(to: c_int, from: c_int, at: *mut i64, len: usize) -> c_long {
    if broken(from).is_some_and(|page| !may_read(page)) {
        return fail(sys::EIO);
    }
    sys::syscall(sys::SENDFILE, c_long::from(to), c_long::from(from), at, len)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile64(to: c_int, from: c_int, at: *mut i64, len: usize) -> c_long {
    sendfile(to, from, at, len)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_at: *mut i64,
    to: c_int,
    to_at: *mut i64,
    len: usize,
    flags: c_uint,
) -> c_long {
    if broken(from).is_some_and(|page| !may_read(page)) {
        return fail(sys::EIO);
    }
    let len = match broken(to).map(|page| may_write(page, len)) {
        None => len,
        Some(Ok(len)) => len,
        Some(Err(errno)) => return fail(errno),
    };
    let (from, to, flags) = (c_long::from(from), c_long::from(to), c_long::from(flags));
    sys::syscall(sys::COPY_FILE_RANGE, from, from_at, to, to_at, len, flags)
}
