//! The library that is preloaded into a process under test: its disk and its wall clock do wrong as the shared page says.
//!
//! **Invariants.** Without a page (`STORMGLASS_SHIM` unset, unreadable or of another version) every call does what it always does. No
//! allocation, no lock, no thread-local of our own, no signal handler, no recursion: what is done for real is done by
//! `syscall(2)`; only the clocks and the timed waits go on to the C library. Nothing here ends the process.
//! CLOCK_MONOTONIC and its relatives are never touched. What is done to a disk is done to files below `STORMGLASS_SHIM_DIR` only;
//! which file a descriptor is, is asked of the kernel while a disk is broken and never remembered.
//!
//! Blind to: the C library's own buffered streams (`fwrite`), system calls made without it (Go, `io_uring`), stores into mappings.
#![no_std]
#![allow(clippy::missing_safety_doc, unsafe_op_in_unsafe_fn)]

#[path = "../src/page.rs"]
#[allow(dead_code)]
mod page;

mod clock;
mod disk;
mod sys;
mod waits;

use core::ffi::{CStr, c_char};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};
use page::{MAGIC, PAGE_BYTES, Page, count};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // Unreachable: nothing here panics. A process under test must not be ended by us.
    loop {
        core::hint::spin_loop();
    }
}

/// The compiler names it, though nothing unwinds.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

static PAGE: AtomicPtr<Page> = AtomicPtr::new(null_mut());
static FOLDER: AtomicPtr<c_char> = AtomicPtr::new(null_mut());
static FOLDER_BYTES: AtomicU64 = AtomicU64::new(0);

/// The shared page, if there is one.
#[inline(always)]
fn page() -> Option<&'static Page> {
    // SAFETY: the pointer is null or that of a mapping that is never undone.
    unsafe { PAGE.load(Relaxed).as_ref() }
}

#[inline(always)]
fn counted(page: &Page, what: usize) {
    page.counts[what].fetch_add(1, Relaxed);
}

/// The folder whose files are the disk's; empty: none.
fn folder() -> &'static [u8] {
    let (start, len) = (FOLDER.load(Relaxed), FOLDER_BYTES.load(Relaxed) as usize);
    if start.is_null() {
        return &[];
    }
    // SAFETY: set once to a string of the environment, which is as long as the length says and stays.
    unsafe { core::slice::from_raw_parts(start.cast(), len) }
}

#[used]
#[unsafe(link_section = ".init_array")]
static INIT: unsafe extern "C" fn() = init;

unsafe extern "C" fn init() {
    clock::find();
    let folder = sys::getenv(c"STORMGLASS_SHIM_DIR".as_ptr());
    if !folder.is_null() {
        FOLDER_BYTES.store(CStr::from_ptr(folder).to_bytes().len() as u64, Relaxed);
        FOLDER.store(folder.cast_mut(), Relaxed);
    }
    let path = sys::getenv(c"STORMGLASS_SHIM".as_ptr());
    if path.is_null() {
        return;
    }
    let errno = sys::errno();
    if let Some(page) = map(path) {
        counted(page, count::LOADED);
        PAGE.store((&raw const *page).cast_mut(), Relaxed);
    }
    sys::set_errno(errno);
}

unsafe fn map(path: *const c_char) -> Option<&'static Page> {
    const READ_WRITE: i64 = 3;
    const SHARED: i64 = 1;
    let fd = sys::syscall(sys::OPENAT, sys::AT_FDCWD, path, i64::from(sys::O_RDWR | sys::O_CLOEXEC), 0i64);
    if fd < 0 {
        return None;
    }
    let at = sys::syscall(sys::MMAP, 0i64, PAGE_BYTES, READ_WRITE, SHARED, fd, 0i64);
    sys::syscall(sys::CLOSE, fd);
    if at == -1 {
        return None;
    }
    (at as *const Page).as_ref().filter(|page| page.magic.load(Relaxed) == MAGIC)
}
