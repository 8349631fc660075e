//! A folder on a real disk into the tree, and the tree into a folder on a real disk.
//!
//! Files, folders and symbolic links; whatever else there is, is refused by name.

use crate::node::{Ino, Kind, Meta, ROOT};
use crate::tree::Tree;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;

const CHUNK_BYTES: usize = 1 << 20;

/// Reads a folder in; what was read is durable.
pub fn read_in(tree: &mut Tree, from: &Path) -> io::Result<()> {
    read_folder(tree, ROOT, from)?;
    tree.checkpoint();
    Ok(())
}

fn read_folder(tree: &mut Tree, to: Ino, from: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name, stat) = (entry.path(), entry.file_name(), entry.metadata()?);
        let (at, meta) = ((to, name.as_os_str()), meta_of(&stat)?);
        if stat.is_dir() {
            let folder = tree.create_folder(at, meta)?;
            read_folder(tree, folder, &path)?;
        } else if stat.is_symlink() {
            tree.create_link(at, fs::read_link(&path)?.as_os_str(), meta)?;
        } else if stat.is_file() {
            let ino = tree.create(at, meta)?;
            read_file(tree, ino, &File::open(&path)?)?;
        } else {
            return Err(io::Error::other(format!("{} is no file, folder or link", path.display())));
        }
    }
    Ok(())
}

fn meta_of(stat: &fs::Metadata) -> io::Result<Meta> {
    let modified = stat.modified()?;
    Ok(Meta::new((stat.mode() & 0o7777) as u16, (stat.uid(), stat.gid()), modified))
}

fn read_file(tree: &mut Tree, ino: Ino, file: &File) -> io::Result<()> {
    let stat = file.metadata()?;
    let (len, modified) = (stat.len(), stat.modified()?);
    let (mut chunk, mut at) = (vec![0; CHUNK_BYTES], 0);
    while at < len {
        let count = file.read_at(&mut chunk, at)?;
        if count == 0 {
            break;
        }
        // What is all zeros stays a hole.
        if chunk[..count].iter().any(|byte| *byte != 0) {
            tree.write(ino, at, &chunk[..count], modified)?;
        }
        at += count as u64;
    }
    Ok(tree.set_len(ino, len, modified)?)
}

/// Makes `to` hold what the tree shows, and nothing else.
pub fn write_out(tree: &Tree, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    write_folder(tree, ROOT, to)
}

fn write_folder(tree: &Tree, from: Ino, to: &Path) -> io::Result<()> {
    for (name, ino, kind) in tree.list(from)? {
        let path = to.join(name);
        match kind {
            Kind::Folder => {
                fs::create_dir(&path)?;
                write_folder(tree, ino, &path)?;
            }
            Kind::Link => symlink(tree.read_link(ino)?, &path)?,
            Kind::File => write_file(tree, ino, &File::create(&path)?)?,
        }
    }
    Ok(())
}

fn write_file(tree: &Tree, ino: Ino, file: &File) -> io::Result<()> {
    let (_, len, ..) = tree.stat(ino)?;
    file.set_len(len)?;
    let mut at = 0;
    while at < len {
        let chunk = tree.read(ino, at, CHUNK_BYTES)?;
        if chunk.iter().any(|byte| *byte != 0) {
            file.write_all_at(&chunk, at)?;
        }
        at += chunk.len().max(1) as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::NameRule;
    use std::time::SystemTime;

    #[test]
    fn a_folder_read_in_and_written_out_is_the_same() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join("topic-0/deep")).unwrap();
        fs::write(from.path().join("topic-0/00.log"), vec![7; 3 << 20]).unwrap();
        fs::write(from.path().join("empty"), b"").unwrap();
        File::create(from.path().join("topic-0/sparse")).unwrap().set_len(10 << 20).unwrap();
        symlink("topic-0/00.log", from.path().join("link")).unwrap();
        let mut tree = Tree::new(NameRule::Journal, Meta::new(0o755, (0, 0), SystemTime::UNIX_EPOCH));
        read_in(&mut tree, from.path()).unwrap();
        assert!(tree.pending_bytes() == 0 && tree.contents().values().map(crate::Pages::stored).sum::<u64>() < 5 << 20);
        write_out(&tree, &to.path().join("copy")).unwrap();
        let same = std::process::Command::new("diff").arg("-r").args([from.path(), &to.path().join("copy")]).status();
        assert!(same.unwrap().success());
    }
}
