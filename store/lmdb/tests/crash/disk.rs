//! A disk that power may leave at any moment: what of a trace is on it for certain, and what may be.
//!
//! In:  [`Event`]s in order.
//! Out: [`Disk::lose`] makes a directory as the machine could find it at its next start.
//!
//! Certain is what was synced. Of what came after, each sector of 512 octets has the contents of any one moment since
//! its last sync, apart from every other: writes are lost, torn, and land in any order. Lengths and holes belong to
//! the file system, which keeps their order: of them any first few have happened. A name is certain after a sync of
//! its directory; before, each may have been made or removed or not, apart from the others.
//!
//! Stricter than file systems are: ext4 makes a new file's name durable with the file, and a write with O_DSYNC the
//! whole page. What holds here holds there.

use crate::random::Random;
use crate::trace::{Event, Kind};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a disk writes at once.
const SECTOR: usize = 512;
/// What a kernel writes back at once.
const PAGE: usize = 4096;

/// How what is not certain is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it.
    All,
    /// Sector by sector.
    Sectors,
    /// Page by page.
    Pages,
    /// Of each file all after one moment.
    Later,
}

/// A disk.
#[derive(Default)]
pub struct Disk {
    root: PathBuf,
    files: Vec<File>,
    /// Names as programs see them.
    seen: BTreeMap<PathBuf, usize>,
    /// Names that are certain.
    certain: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not, in order.
    names: Vec<Naming>,
    clock: u64,
}

struct Naming {
    folder: PathBuf,
    /// Name and file, or none: removed.
    edits: Vec<(PathBuf, Option<usize>)>,
}

struct File {
    kind: Kind,
    /// As programs see it.
    seen: Vec<u8>,
    /// What is certain.
    certain: Vec<u8>,
    /// What each sector held since, oldest first, with the time.
    sectors: BTreeMap<usize, Vec<(u64, [u8; SECTOR])>>,
    /// What became of length and holes since.
    shapes: Vec<(u64, Shape)>,
}

#[derive(Clone, Copy)]
enum Shape {
    Length(usize),
    Hole(usize, usize),
}

impl File {
    fn new(kind: Kind) -> Self {
        File {
            kind,
            seen: Vec::new(),
            certain: Vec::new(),
            sectors: BTreeMap::new(),
            shapes: Vec::new(),
        }
    }

    fn write(&mut self, now: u64, offset: usize, octets: &[u8]) {
        let end = offset + octets.len();
        if end > self.seen.len() {
            self.shape(now, Shape::Length(end));
        }
        self.seen[offset..end].copy_from_slice(octets);
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            let contents = sector_of(&self.seen, sector);
            self.sectors
                .entry(sector)
                .or_default()
                .push((now, contents));
        }
    }

    fn shape(&mut self, now: u64, shape: Shape) {
        shape.land(&mut self.seen);
        self.shapes.push((now, shape));
    }

    /// Everything is certain.
    fn sync(&mut self) {
        self.certain.clone_from(&self.seen);
        self.sectors.clear();
        self.shapes.clear();
    }

    /// The octets from `offset` on are certain, and with them all that is needed to read them.
    fn sync_range(&mut self, offset: usize, octets: usize) {
        let end = offset + octets;
        while self.certain.len() < end && !self.shapes.is_empty() {
            self.shapes.remove(0).1.land(&mut self.certain);
        }
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            let (from, to) = (
                sector * SECTOR,
                ((sector + 1) * SECTOR).min(self.certain.len()),
            );
            self.certain[from..to].copy_from_slice(&self.seen[from..to]);
            self.sectors.remove(&sector);
        }
    }

    /// The file as it may be found.
    fn lose(&self, loss: Loss, random: &mut Random) -> Vec<u8> {
        let mut found = self.certain.clone();
        if loss == Loss::All {
            return found;
        }
        let last = self.sectors.values().flatten().map(|version| version.0);
        let last = last.chain(self.shapes.iter().map(|shape| shape.0)).max();
        let Some(last) = last else {
            return found;
        };
        let first = self.sectors.values().flatten().map(|version| version.0);
        let first = first.chain(self.shapes.iter().map(|shape| shape.0)).min();
        let span = last - first.unwrap_or(last) + 2;
        // The moment up to which something landed: none, all, or any between.
        let moment = |random: &mut Random| match random.below(3) {
            0 => 0,
            1 => last,
            _ => last + 1 - random.below(span as usize) as u64,
        };
        let whole = moment(random);
        let shaped = match loss {
            Loss::Later => self.shapes.iter().filter(|shape| shape.0 <= whole).count(),
            _ => random.below(self.shapes.len() + 1),
        };
        let (mut page, mut of_page) = (usize::MAX, whole);
        let longest = self.seen.len().max(self.certain.len());
        let longest = self
            .shapes
            .iter()
            .fold(longest, |most, (_, shape)| match shape {
                Shape::Length(octets) => most.max(*octets),
                Shape::Hole(..) => most,
            });
        let length = self.shapes[..shaped]
            .iter()
            .rev()
            .find_map(|(_, shape)| match shape {
                Shape::Length(octets) => Some(*octets),
                Shape::Hole(..) => None,
            });
        let length = length.unwrap_or(self.certain.len());
        found.resize(longest, 0);
        let mut moments = BTreeMap::new();
        for (&sector, versions) in &self.sectors {
            let landed = match loss {
                Loss::Sectors => moment(random),
                Loss::Pages if page == sector * SECTOR / PAGE => of_page,
                Loss::Pages => {
                    (page, of_page) = (sector * SECTOR / PAGE, moment(random));
                    of_page
                }
                _ => whole,
            };
            if let Some((time, contents)) = versions.iter().rev().find(|v| v.0 <= landed) {
                let from = sector * SECTOR;
                let to = (from + SECTOR).min(longest);
                found[from..to].copy_from_slice(&contents[..to - from]);
                moments.insert(sector, *time);
            }
        }
        // What was cut or punched stays so, unless it was written later.
        for &(time, shape) in &self.shapes[..shaped] {
            let (from, to) = match shape {
                Shape::Length(octets) => (octets, longest),
                Shape::Hole(from, to) => (from, to.min(longest)),
            };
            let mut at = from;
            while at < to {
                let sector = at / SECTOR;
                let end = ((sector + 1) * SECTOR).min(to);
                if moments.get(&sector).is_none_or(|&written| written < time) {
                    found[at..end].fill(0);
                }
                at = end;
            }
        }
        found.resize(length, 0);
        found
    }
}

impl Shape {
    fn land(self, octets: &mut Vec<u8>) {
        match self {
            Shape::Length(length) => octets.resize(length, 0),
            Shape::Hole(from, to) => {
                let to = to.min(octets.len());
                if from < to {
                    octets[from..to].fill(0);
                }
            }
        }
    }
}

fn sector_of(octets: &[u8], sector: usize) -> [u8; SECTOR] {
    let mut contents = [0; SECTOR];
    let from = sector * SECTOR;
    let to = (from + SECTOR).min(octets.len());
    contents[..to - from].copy_from_slice(&octets[from..to]);
    contents
}

impl Disk {
    /// An empty disk whose names begin with `root`.
    pub fn new(root: &Path) -> Self {
        Disk {
            root: root.to_owned(),
            ..Disk::default()
        }
    }

    /// A disk that certainly holds what is below `root` now.
    pub fn found(root: &Path) -> Self {
        let mut disk = Disk::new(&root.canonicalize().expect("the directory is there"));
        let mut folders = vec![disk.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("readable") {
                let path = entry.expect("readable").path();
                let file = match path.is_dir() {
                    true => File::new(Kind::Folder),
                    false => File {
                        certain: fs::read(&path).expect("readable"),
                        seen: fs::read(&path).expect("readable"),
                        ..File::new(Kind::File)
                    },
                };
                folders.extend((file.kind == Kind::Folder).then(|| path.clone()));
                disk.seen.insert(path, disk.files.len());
                disk.files.push(file);
            }
        }
        disk.certain.clone_from(&disk.seen);
        disk
    }

    /// One thing more happened.
    pub fn happen(&mut self, event: &Event) {
        self.clock += 1;
        let now = self.clock;
        match event {
            Event::Write {
                path,
                offset,
                octets,
            } => self.with(path, |file| file.write(now, *offset as usize, octets)),
            Event::SyncRange {
                path,
                offset,
                octets,
            } => self.with(path, |file| {
                file.sync_range(*offset as usize, *octets as usize)
            }),
            Event::Length { path, octets } => {
                let shape = Shape::Length(*octets as usize);
                self.with(path, |file| file.shape(now, shape));
            }
            Event::Punch {
                path,
                offset,
                octets,
            } => {
                let shape = Shape::Hole(*offset as usize, (*offset + *octets) as usize);
                self.with(path, |file| file.shape(now, shape));
            }
            Event::Sync { path } => {
                self.with(path, File::sync);
                self.sync_names(path);
            }
            Event::Create { path, kind } => {
                self.files.push(File::new(*kind));
                self.name(path, vec![(path.clone(), Some(self.files.len() - 1))]);
            }
            Event::Remove { path } => self.name(path, vec![(path.clone(), None)]),
            Event::Rename { from, to } => {
                let file = self.seen.get(from).copied();
                self.name(to, vec![(from.clone(), None), (to.clone(), file)]);
            }
            Event::Link { from, to } => {
                let file = self.seen.get(from).copied();
                self.name(to, vec![(to.clone(), file)]);
            }
            Event::Mark(_) => {}
        }
    }

    fn with(&mut self, path: &Path, change: impl FnOnce(&mut File)) {
        // A file whose name is gone is of no interest to the next start.
        if let Some(&file) = self.seen.get(path) {
            change(&mut self.files[file]);
        }
    }

    fn name(&mut self, path: &Path, edits: Vec<(PathBuf, Option<usize>)>) {
        rename(&mut self.seen, &edits);
        let folder = path.parent().expect("below the root").to_owned();
        self.names.push(Naming { folder, edits });
    }

    fn sync_names(&mut self, folder: &Path) {
        let (synced, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.names)
            .into_iter()
            .partition(|naming| naming.folder == folder);
        for naming in synced {
            rename(&mut self.certain, &naming.edits);
        }
        self.names = rest;
    }

    /// Makes `folder`, which is empty, what the root may be found as.
    pub fn lose(&self, loss: Loss, random: &mut Random, folder: &Path) {
        let mut names = self.certain.clone();
        if loss != Loss::All {
            let every = random.once_in(3);
            for naming in &self.names {
                if every || random.once_in(2) {
                    rename(&mut names, &naming.edits);
                }
            }
        }
        // In the order of names a directory comes before what is in it; without it, that is lost too.
        for (path, &file) in &names {
            let below = path.strip_prefix(&self.root).expect("below the root");
            let place = folder.join(below);
            if !place.parent().is_some_and(Path::is_dir) {
                continue;
            }
            match self.files[file].kind {
                Kind::Folder => fs::create_dir(&place).expect("a scratch directory"),
                Kind::File => {
                    let octets = self.files[file].lose(loss, random);
                    fs::write(&place, octets).expect("a scratch directory");
                }
            }
        }
    }
}

fn rename(names: &mut BTreeMap<PathBuf, usize>, edits: &[(PathBuf, Option<usize>)]) {
    for (path, file) in edits {
        match file {
            Some(file) => _ = names.insert(path.clone(), *file),
            None => _ = names.remove(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(disk: &Disk, loss: Loss, seed: u64) -> Option<Vec<u8>> {
        let folder = crate::scratch();
        disk.lose(loss, &mut Random::new(seed), folder.path());
        fs::read(folder.path().join("f")).ok()
    }

    #[test]
    fn what_is_synced_stays_and_the_rest_may_go() {
        let root = crate::scratch();
        let root = root.path().canonicalize().expect("it is there");
        let (path, folder) = (root.join("f"), root.clone());
        let mut disk = Disk::new(&root);
        let write = |octets: Vec<u8>, offset| Event::Write {
            path: path.clone(),
            offset,
            octets,
        };
        let kind = Kind::File;
        disk.happen(&Event::Create {
            path: path.clone(),
            kind,
        });
        disk.happen(&write(vec![1; 2048], 0));
        disk.happen(&Event::Sync { path: path.clone() });
        assert_eq!(found(&disk, Loss::All, 0), None, "its name is not certain");
        disk.happen(&Event::Sync { path: folder });
        assert_eq!(found(&disk, Loss::All, 0), Some(vec![1; 2048]));

        disk.happen(&write(vec![2; 2048], 512));
        let mut sizes = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let octets = found(&disk, Loss::Sectors, seed).expect("its name is certain");
            assert_eq!(octets[..512], [1; 512]);
            assert!(
                octets
                    .chunks(512)
                    .all(|sector| sector.iter().all(|&o| o == sector[0]))
            );
            sizes.insert((octets.len(), octets.iter().filter(|&&o| o == 2).count()));
        }
        assert!(sizes.len() > 4, "torn in many ways: {sizes:?}");

        disk.happen(&Event::Length {
            path: path.clone(),
            octets: 600,
        });
        disk.happen(&Event::Sync { path: path.clone() });
        let expected = [[1; 512].as_slice(), &[2; 88]].concat();
        for loss in [Loss::All, Loss::Sectors, Loss::Pages, Loss::Later] {
            assert_eq!(found(&disk, loss, 1).as_ref(), Some(&expected), "{loss:?}");
        }
    }
}
