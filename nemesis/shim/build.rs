//! Builds the library that is preloaded, with the compiler that builds everything else and nothing more.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let library = PathBuf::from(var("OUT_DIR")).join("shim.so");
    println!("cargo:rerun-if-changed=preload");
    println!("cargo:rerun-if-changed=src/page.rs");
    let status = Command::new(var("RUSTC"))
        .args(["--edition", "2024", "--crate-type", "cdylib", "--crate-name", "shim", "--target", &var("TARGET")])
        .args(["-C", "opt-level=3", "-C", "panic=abort", "-C", "strip=symbols", "-C", "link-arg=-Wl,-z,defs"])
        .arg("preload/lib.rs")
        .arg("-o")
        .arg(&library)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "the preloaded library does not build");
    println!("cargo:rustc-env=SHIM_LIBRARY={}", library.display());
}
