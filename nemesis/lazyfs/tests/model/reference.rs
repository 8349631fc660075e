//! The reference: whole contents in vectors, every change in a list, every allowed state computed from the list.

use nemesis::disk::Loss;
use std::collections::{BTreeMap, BTreeSet};

const BLOCK: usize = 4096;
const SECTOR: usize = 512;

/// What is to be seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct View {
    pub files: BTreeMap<String, Vec<u8>>,
    pub folders: BTreeSet<String>,
}

/// Which path leads to which content, and which folders there are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Names {
    files: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, usize, Vec<u8>),
    Length(usize, usize),
    /// All names, as they are after it.
    Names(Names),
}

type Contents = Vec<Vec<u8>>;

fn apply(change: &Change, contents: &mut Contents, names: &mut Names) {
    match change {
        Change::Write(id, at, data) => {
            let end = at + data.len();
            if contents[*id].len() < end {
                contents[*id].resize(end, 0);
            }
            contents[*id][*at..end].copy_from_slice(data);
        }
        Change::Length(id, len) => contents[*id].resize(*len, 0),
        Change::Names(after) => *names = after.clone(),
    }
}

fn view(contents: &Contents, names: &Names) -> View {
    let files = names.files.iter().map(|(path, id)| (path.clone(), contents[*id].clone())).collect();
    View { files, folders: names.folders.clone() }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    now: Contents,
    names: Names,
    kept: Contents,
    kept_names: Names,
    pending: Vec<Change>,
}

impl Reference {
    /// Everything seen is durable.
    pub fn of(left: View) -> Reference {
        let contents: Contents = left.files.values().cloned().collect();
        let files = left.files.keys().cloned().zip(0..).collect();
        let names = Names { files, folders: left.folders };
        Reference {
            now: contents.clone(),
            names: names.clone(),
            kept: contents,
            kept_names: names,
            pending: Vec::new(),
        }
    }

    pub fn seen(&self) -> View {
        view(&self.now, &self.names)
    }

    fn change(&mut self, change: Change) {
        apply(&change, &mut self.now, &mut self.names);
        self.pending.push(change);
    }

    fn folder_exists(&self, path: &str) -> bool {
        path.rsplit_once('/').is_none_or(|(folder, _)| self.names.folders.contains(folder))
    }

    fn id(&self, path: &str) -> Result<usize, ()> {
        self.names.files.get(path).copied().ok_or(())
    }

    pub fn write(&mut self, path: &str, at: Option<u64>, data: &[u8]) -> Result<(), ()> {
        if !self.folder_exists(path) {
            return Err(());
        }
        if self.id(path).is_err() {
            let mut names = self.names.clone();
            names.files.insert(path.into(), self.now.len());
            self.now.push(Vec::new());
            self.kept.push(Vec::new());
            self.change(Change::Names(names));
        }
        let id = self.id(path)?;
        let at = at.map_or(self.now[id].len(), |at| at as usize);
        self.change(Change::Write(id, at, data.to_vec()));
        Ok(())
    }

    pub fn set_len(&mut self, path: &str, len: usize) -> Result<(), ()> {
        let id = self.id(path)?;
        self.change(Change::Length(id, len));
        Ok(())
    }

    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), ()> {
        let id = self.id(from)?;
        if !self.folder_exists(to) {
            return Err(());
        }
        let mut names = self.names.clone();
        names.files.remove(from);
        names.files.insert(to.into(), id);
        self.change(Change::Names(names));
        Ok(())
    }

    pub fn unlink(&mut self, path: &str) -> Result<(), ()> {
        self.id(path)?;
        let mut names = self.names.clone();
        names.files.remove(path);
        self.change(Change::Names(names));
        Ok(())
    }

    pub fn create_folder(&mut self, folder: &str) -> Result<(), ()> {
        let mut names = self.names.clone();
        if !names.folders.insert(folder.into()) {
            return Err(());
        }
        self.change(Change::Names(names));
        Ok(())
    }

    pub fn remove_folder(&mut self, folder: &str) -> Result<(), ()> {
        let inside = format!("{folder}/");
        let mut names = self.names.clone();
        if names.files.keys().any(|path| path.starts_with(&inside)) || !names.folders.remove(folder) {
            return Err(());
        }
        self.change(Change::Names(names));
        Ok(())
    }

    /// The file's content, and every change of a name so far.
    pub fn sync(&mut self, path: &str) -> Result<(), ()> {
        let id = self.id(path)?;
        self.kept[id] = self.now[id].clone();
        self.pending.retain(|change| !matches!(change, Change::Write(of, ..) | Change::Length(of, _) if *of == id));
        self.commit_names();
        Ok(())
    }

    pub fn sync_folder(&mut self, folder: &str) -> Result<(), ()> {
        if !folder.is_empty() && !self.names.folders.contains(folder) {
            return Err(());
        }
        self.commit_names();
        Ok(())
    }

    fn commit_names(&mut self) {
        self.kept_names = self.names.clone();
        self.pending.retain(|change| !matches!(change, Change::Names(_)));
    }

    /// Whether a power loss may have left this.
    pub fn allows(&self, left: &View, loss: Loss) -> Result<(), String> {
        let kept = view(&self.kept, &self.kept_names);
        let allowed = match loss {
            Loss::All => *left == kept,
            // The kernel may hand over a long write in parts, cut at pages.
            Loss::Prefix => (0..=self.pending.len()).any(|count| self.torn(count, BLOCK).any(|state| *left == state)),
            Loss::Torn => (0..=self.pending.len()).any(|count| self.torn(count, SECTOR).any(|state| *left == state)),
            Loss::Blocks => self.mixes(left),
        };
        if allowed { Ok(()) } else { Err(differences(left, &kept)) }
    }

    /// The first `count` changes, and of the next one, a write, so many bytes.
    fn after(&self, count: usize, torn: Option<usize>) -> View {
        let (mut contents, mut names) = (self.kept.clone(), self.kept_names.clone());
        self.pending[..count].iter().for_each(|change| apply(change, &mut contents, &mut names));
        if let (Some(Change::Write(id, at, data)), Some(bytes)) = (self.pending.get(count), torn.filter(|n| *n > 0)) {
            apply(&Change::Write(*id, *at, data[..bytes].to_vec()), &mut contents, &mut names);
        }
        view(&contents, &names)
    }

    fn torn(&self, count: usize, unit: usize) -> impl Iterator<Item = View> {
        let borders = match self.pending.get(count) {
            Some(Change::Write(_, at, data)) => {
                let inside = (*at..at + data.len()).filter(|place| place % unit == 0).map(|place| place - at);
                std::iter::once(0).chain(inside).collect()
            }
            _ => vec![0],
        };
        borders.into_iter().map(move |bytes| self.after(count, Some(bytes)))
    }

    /// Names as after some of their changes; of each content every block old or new, its length in between.
    fn mixes(&self, left: &View) -> bool {
        let later = self.pending.iter().filter_map(|change| match change {
            Change::Names(names) => Some(names),
            _ => None,
        });
        std::iter::once(&self.kept_names).chain(later).any(|names| {
            let paths = names.files.keys().eq(left.files.keys()) && names.folders == left.folders;
            paths && names.files.iter().all(|(path, id)| self.mixed(*id, &left.files[path]))
        })
    }

    fn mixed(&self, id: usize, left: &[u8]) -> bool {
        let (old, new) = (&self.kept[id], &self.now[id]);
        let untouched =
            !self.pending.iter().any(|c| matches!(c, Change::Write(of, ..) | Change::Length(of, _) if *of == id));
        if untouched {
            return left == old;
        }
        let len = left.len();
        let bounds = old.len().min(new.len())..=old.len().max(new.len());
        let as_long = |content: &[u8]| {
            let mut content = content.to_vec();
            content.resize(len, 0);
            content
        };
        let (old, new) = (as_long(old), as_long(new));
        bounds.contains(&len)
            && left.chunks(BLOCK).zip(old.chunks(BLOCK).zip(new.chunks(BLOCK))).all(|(l, (o, n))| l == o || l == n)
    }
}

fn differences(left: &View, kept: &View) -> String {
    let told = |view: &View| {
        let files = view.files.iter().map(|(path, data)| format!("{path}: {} bytes", data.len()));
        files.chain(view.folders.iter().map(|folder| format!("{folder}/"))).collect::<Vec<_>>().join(", ")
    };
    let other = left.files.iter().filter(|(path, data)| kept.files.get(*path).is_some_and(|kept| kept != *data));
    let other: Vec<&String> = other.map(|(path, _)| path).collect();
    format!("left [{}], durable [{}], same name and other content: {other:?}", told(left), told(kept))
}
