//! Any bytes as each of the small files of a log folder.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    broker::hostile::checkpoints(folder.path(), bytes).expect("the folder can be written");
});
