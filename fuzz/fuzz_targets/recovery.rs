//! Any bytes as the segment of a log that was not stopped in order.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    std::fs::write(folder.path().join("00000000000000000000.log"), bytes).expect("memory is not full");
    let end = broker::hostile::recovery(folder.path()).expect("only the disk may fail");
    assert_eq!(broker::hostile::recovery(folder.path()).expect("only the disk may fail"), end);
});
