//! The image in a file: `NNNNNNNNNNNNNNNNNNNN.snapshot`, named by the last entry it holds; one line framed as the journal's.
//!
//! **Invariant:** a snapshot appears under its name whole or not at all, and older ones go only after it has.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{SnapshotMeta, journal};
use crate::metadata::image::ClusterImage;

/// An image and the place in the log it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SavedImage {
    /// Place and membership.
    pub meta: SnapshotMeta,
    /// The image.
    pub image: ClusterImage,
}

/// Writes a snapshot and removes the older ones.
///
/// # Errors
/// Of the file system.
pub fn save(folder: &Path, saved: &SavedImage) -> io::Result<()> {
    let bytes = journal::frame(&serde_json::to_vec(saved)?)?;
    let index = saved.meta.last_log_id.map_or(0, |last| last.index);
    let path = folder.join(format!("{index:020}.snapshot"));
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    File::open(folder)?.sync_all()?;
    found(folder)?.iter().filter(|other| **other < path).try_for_each(fs::remove_file)
}

/// The newest sound snapshot of a folder.
///
/// # Errors
/// Of the file system; a damaged snapshot is as good as none.
pub fn load(folder: &Path) -> io::Result<Option<SavedImage>> {
    for path in found(folder)?.iter().rev() {
        let bytes = fs::read(path)?;
        let sound = journal::unframe(&bytes).filter(|(_, length)| *length == bytes.len());
        if let Some(saved) = sound.and_then(|(json, _)| serde_json::from_slice(json).ok()) {
            return Ok(Some(saved));
        }
    }
    Ok(None)
}

fn found(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    let mut found: Vec<_> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "snapshot")).collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, LogId};

    use super::*;
    use crate::metadata::ids::{ControllerId, Version};

    fn saved(index: u64) -> SavedImage {
        let last_log_id = Some(LogId::new(CommittedLeaderId::new(1, ControllerId(100)), index));
        let image = ClusterImage { version: Version(index), ..ClusterImage::default() };
        SavedImage { meta: SnapshotMeta { last_log_id, ..SnapshotMeta::default() }, image }
    }

    #[test]
    fn the_newest_snapshot_is_kept_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path()).unwrap(), None);
        save(folder.path(), &saved(5)).unwrap();
        save(folder.path(), &saved(12)).unwrap();
        assert_eq!(load(folder.path()).unwrap(), Some(saved(12)));
        assert_eq!(found(folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_damaged_or_cut_snapshot_is_none() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), &saved(5)).unwrap();
        let path = found(folder.path()).unwrap().remove(0);
        let whole = fs::read(&path).unwrap();
        for cut in [0, 10, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(load(folder.path()).unwrap(), None);
        }
    }
}
