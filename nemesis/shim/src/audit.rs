//! Whether a preloaded library reaches a program: read from its ELF file, before it is started.
//!
//! Pure but for reading the file. A program that makes its system calls itself (Go, static ones) is not reached, and to say that it
//! is would make every fault a no-op.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How far the library reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coverage {
    /// Everything the program does through the C library.
    Dynamic,
    /// Nothing: it has no dynamic loader.
    Static,
    /// Nothing: Go makes its system calls itself, even in a dynamic program.
    Go,
    /// Nothing: another C library than ours.
    OtherLibc,
    /// It names another program that runs it; that one counts.
    Script,
    /// It is no program.
    NoProgram,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Coverage::Dynamic => "a dynamic program on glibc",
            Coverage::Static => "a static program: nothing can be preloaded into it",
            Coverage::Go => "a Go program: it makes its system calls itself",
            Coverage::OtherLibc => "a program on another C library than glibc",
            Coverage::Script => "a script: the program that runs it counts",
            Coverage::NoProgram => "not a program",
        })
    }
}

const HEAD_BYTES: u64 = 4 << 20;
const SEGMENTS_MAX: usize = 128;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;

/// Looks into the program's file.
pub fn audit(program: &Path) -> io::Result<Coverage> {
    let mut head = Vec::new();
    File::open(program)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(coverage(&head))
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Kind, and content as far as it is there.
fn segments(elf: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let (at, size, count) = (
        u64::from_le_bytes(number(elf, 32)?),
        u16::from_le_bytes(number(elf, 54)?),
        u16::from_le_bytes(number(elf, 56)?),
    );
    let mut found = Vec::new();
    for index in 0..usize::from(count).min(SEGMENTS_MAX) {
        let head = usize::try_from(at).ok()?.checked_add(index * usize::from(size))?;
        let kind = u32::from_le_bytes(number(elf, head)?);
        let from = usize::try_from(u64::from_le_bytes(number(elf, head + 8)?)).ok()?;
        let len = usize::try_from(u64::from_le_bytes(number(elf, head + 32)?)).ok()?;
        let end = from.saturating_add(len).min(elf.len());
        found.push((kind, elf.get(from..end).unwrap_or(&[])));
    }
    Some(found)
}

fn coverage(head: &[u8]) -> Coverage {
    const ELF64_LITTLE: &[u8] = b"\x7fELF\x02\x01";
    if head.starts_with(b"#!") {
        return Coverage::Script;
    }
    let Some(segments) = segments(head).filter(|_| head.starts_with(ELF64_LITTLE)) else { return Coverage::NoProgram };
    let has_go_note = |note: &[u8]| note.windows(4).any(|part| part == b"Go\0\0");
    if segments.iter().any(|(kind, bytes)| *kind == PT_NOTE && has_go_note(bytes)) {
        return Coverage::Go;
    }
    match segments.iter().find(|(kind, _)| *kind == PT_INTERP) {
        None => Coverage::Static,
        Some((_, loader)) if loader.windows(8).any(|part| part == b"ld-linux") => Coverage::Dynamic,
        Some(_) => Coverage::OtherLibc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file of these segments.
    fn elf(segments: &[(u32, &[u8])]) -> Vec<u8> {
        let mut out = vec![0u8; 64 + segments.len() * 56];
        out[..6].copy_from_slice(b"\x7fELF\x02\x01");
        out[32] = 64;
        out[54] = 56;
        out[56] = segments.len() as u8;
        for (index, (kind, bytes)) in segments.iter().enumerate() {
            let (at, from) = (64 + index * 56, out.len() as u64);
            out[at..at + 4].copy_from_slice(&kind.to_le_bytes());
            out[at + 8..at + 16].copy_from_slice(&from.to_le_bytes());
            out[at + 32..at + 40].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        out
    }

    #[test]
    fn a_program_is_judged_by_its_loader_and_its_notes() {
        let go: &[u8] = b"\x04\0\0\0\x53\0\0\0\x04\0\0\0Go\0\0abcd";
        for (file, expected) in [
            (elf(&[(1, b""), (PT_INTERP, b"/lib64/ld-linux-x86-64.so.2\0")]), Coverage::Dynamic),
            (elf(&[(PT_INTERP, b"/lib/ld-linux-aarch64.so.1\0")]), Coverage::Dynamic),
            (elf(&[(PT_INTERP, b"/lib/ld-musl-x86_64.so.1\0")]), Coverage::OtherLibc),
            (elf(&[(1, b"")]), Coverage::Static),
            (elf(&[(PT_NOTE, go)]), Coverage::Go),
            (elf(&[(PT_INTERP, b"/lib64/ld-linux-x86-64.so.2\0"), (PT_NOTE, go)]), Coverage::Go),
            (b"#!/bin/sh\n".to_vec(), Coverage::Script),
            (b"text".to_vec(), Coverage::NoProgram),
            (Vec::new(), Coverage::NoProgram),
        ] {
            assert_eq!(coverage(&file), expected);
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_judged_without_a_panic() {
        let whole = elf(&[(PT_INTERP, b"/lib64/ld-linux-x86-64.so.2\0"), (PT_NOTE, b"Go\0\0")]);
        for cut in 0..whole.len() {
            coverage(&whole[..cut]);
        }
    }

    #[test]
    fn this_very_test_is_reached() {
        assert_eq!(audit(&std::env::current_exe().unwrap()).unwrap(), Coverage::Dynamic);
    }
}
