//! Holes: stretches of table free become zeros, and pages that are all zero go back to the file system.
//!
//! In:  rows of table free, side by side ones taken together.
//! Out: the file as it was but for zeros there; [`Write::Tidied`] once they are durable.
//!
//! ```text
//!   page        page        page        page
//! | mail a  free ..... .......... ....| mail b
//!                |<-- whole pages -->|
//!          |<------ zeros ------------>|
//! ```
//! The part of a page at either end is made zero too, and a page that is zeros up to its border is given back with its
//! neighbour's part: so small mails that share a page give it back once the last of them is gone, and no row has to
//! remember them until then. Punching what is zero changes nothing, whatever stood there.
//!
//! Invariant: nothing at or behind the page that the log's tail is in is touched: that page is being written.

use ringpost_api::table::Stretch;
use ringpost_api::write::Position;
use ringpost_api::{Error, Snapshot, Table, key};
use ringpost_log::segment;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What file systems give space back by. A larger block of the file system only gives back less.
const PAGE_OCTETS: u64 = 4_096;
/// Octets of zeros that are compared at once.
const ZEROS: [u8; PAGE_OCTETS as usize] = [0; PAGE_OCTETS as usize];

/// Free octets of one segment, as long a stretch as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub log: u16,
    pub stretch: Stretch,
}

/// One row of table free.
pub(crate) fn row(key: &[u8], value: &[u8]) -> Option<(u16, Stretch)> {
    let (log, rest) = key.split_first_chunk::<2>()?;
    let (segment, offset) = rest.split_first_chunk::<4>()?;
    let stretch = Stretch {
        segment: u32::from_be_bytes(*segment),
        offset: u64::from_be_bytes(offset.try_into().ok()?),
        octets: u64::from_le_bytes(value.try_into().ok()?),
    };
    Some((u16::from_be_bytes(*log), stretch))
}

/// Free stretches of the segments that `wanted` names, at most `runs_max` runs of them, that the tail of no log is near.
pub(super) fn runs(
    snapshot: &dyn Snapshot,
    applied: &BTreeMap<u16, Position>,
    mut wanted: impl FnMut(u16, u32) -> bool,
    runs_max: usize,
) -> Result<Vec<Run>, Error> {
    let mut runs: Vec<Run> = Vec::new();
    let mut asked: Option<((u16, u32), bool)> = None;
    snapshot.scan(Table::Free, &[], &[], &mut |key, value| {
        let Some((log, stretch)) = row(key, value) else {
            return ControlFlow::Continue(());
        };
        let place = (log, stretch.segment);
        let is_wanted = match asked {
            Some((same, wanted)) if same == place => wanted,
            _ => wanted(log, stretch.segment),
        };
        asked = Some((place, is_wanted));
        let end = stretch.offset.saturating_add(stretch.octets);
        if !is_wanted || end > end_of(applied.get(&log), stretch.segment) {
            return ControlFlow::Continue(());
        }
        if let Some(last) = runs.last_mut()
            && (last.log, last.stretch.segment) == place
            && last.stretch.offset + last.stretch.octets >= stretch.offset
        {
            last.stretch.octets = last.stretch.octets.max(end - last.stretch.offset);
            return ControlFlow::Continue(());
        }
        if runs.len() == runs_max {
            return ControlFlow::Break(());
        }
        runs.push(Run { log, stretch });
        ControlFlow::Continue(())
    })?;
    Ok(runs)
}

/// Up to where a segment may be touched: the page of the tail is not, nor what is behind it.
pub(super) fn end_of(applied: Option<&Position>, segment: u32) -> u64 {
    match applied {
        Some(at) if segment < at.segment => u64::MAX,
        Some(at) if segment == at.segment => at.offset - at.offset % PAGE_OCTETS,
        _ => 0,
    }
}

/// A segment of records, open to be punched.
pub(super) struct Punch {
    file: File,
    /// Nothing from here on is touched.
    end: u64,
}

impl Punch {
    /// Opens it; `None` where it is gone.
    pub fn open(data: &Path, log: u16, segment: u32, end: u64) -> io::Result<Option<Self>> {
        let path = segment::path(data, log, segment);
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => Ok(Some(Punch { file, end })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes zeros of a stretch, and holes of the pages that then hold nothing else.
    pub fn punch(&self, stretch: &Stretch) -> io::Result<()> {
        let (begin, end) = (stretch.offset, stretch.offset + stretch.octets);
        let page = begin - begin % PAGE_OCTETS;
        let begin = match self.is_zero(page, begin)? {
            true => page,
            false => begin,
        };
        let border = end.next_multiple_of(PAGE_OCTETS);
        let end = match border <= self.end && self.is_zero(end, border)? {
            true => border,
            false => end,
        };
        punch(&self.file, begin, end - begin)
    }

    /// Makes the zeros durable: a stretch must not be forgotten that a power loss brings back.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whether all octets from `from` to `to`, less than a page, are zero; behind the end of the file they are.
    fn is_zero(&self, from: u64, to: u64) -> io::Result<bool> {
        let mut octets = [0; PAGE_OCTETS as usize];
        let mut filled = 0;
        let wanted = (to - from) as usize;
        while filled < wanted {
            match self
                .file
                .read_at(&mut octets[filled..wanted], from + filled as u64)
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(octets[..filled] == ZEROS[..filled])
    }
}

/// Makes a hole; the length of the file stays. Parts of pages at its ends become zeros.
pub(crate) fn punch(file: &File, offset: u64, octets: u64) -> io::Result<()> {
    let signed = |value: u64| i64::try_from(value).map_err(|_| io::ErrorKind::FileTooLarge);
    let (offset, octets) = (signed(offset)?, signed(octets)?);
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: the descriptor is open as long as `file` is borrowed; the call touches no memory of ours.
    match unsafe { libc::fallocate(file.as_raw_fd(), mode, offset, octets) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The rows of table free within a run: all of them were there when the run was made of them.
pub(super) fn rows(snapshot: &dyn Snapshot, run: &Run) -> Result<Vec<(u16, Stretch)>, Error> {
    let Stretch {
        segment,
        offset,
        octets,
    } = run.stretch;
    let (within, from) = (
        key::segment(run.log, segment),
        key::free(run.log, segment, offset),
    );
    let mut rows = Vec::new();
    snapshot.scan(Table::Free, &within, &from, &mut |key, value| {
        match row(key, value) {
            Some((log, stretch)) if stretch.offset < offset + octets => rows.push((log, stretch)),
            _ => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_log::segment::HEAD_OCTETS;
    use std::os::unix::fs::MetadataExt;

    /// A file of `pages` pages without a zero octet.
    fn file(pages: u64) -> (tempfile::NamedTempFile, Punch) {
        let file = tempfile::NamedTempFile::new().expect("a scratch file");
        let octets = vec![7; (pages * PAGE_OCTETS) as usize];
        file.as_file().write_all_at(&octets, 0).expect("writable");
        file.as_file().sync_all().expect("synced");
        let punch = Punch {
            file: file.as_file().try_clone().expect("a second handle"),
            end: u64::MAX,
        };
        (file, punch)
    }

    fn stretch(offset: u64, octets: u64) -> Stretch {
        Stretch {
            segment: 1,
            offset,
            octets,
        }
    }

    fn octets(punch: &Punch) -> Vec<u8> {
        let length = punch.file.metadata().expect("there").len();
        let mut octets = vec![0; length as usize];
        punch
            .file
            .read_exact_at(&mut octets, 0)
            .expect("as long as that");
        octets
    }

    /// Pages that the file system keeps.
    fn kept(punch: &Punch) -> u64 {
        punch.sync().expect("synced");
        punch.file.metadata().expect("there").blocks() * 512 / PAGE_OCTETS
    }

    #[test]
    fn exactly_the_stretch_becomes_zero() {
        let (_file, punch) = file(4);
        for (offset, length) in [(100, 50), (4_000, 200), (8_192, 4_096)] {
            punch.punch(&stretch(offset, length)).expect("punched");
            let found = octets(&punch);
            let (begin, end) = (offset as usize, (offset + length) as usize);
            assert!(found[begin..end].iter().all(|&octet| octet == 0));
            assert_eq!((found[begin - 1], found[end]), (7, 7));
        }
    }

    /// Mails that share pages, in any order: the page goes with the last of them.
    #[test]
    fn a_page_goes_with_the_last_that_stood_in_it() {
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let (_file, punch) = file(4);
            let before = kept(&punch);
            // From the begin of page 1 to the end of page 2.
            let mails = [
                stretch(4_096, 1_000),
                stretch(5_096, 5_000),
                stretch(10_096, 2_192),
            ];
            for at in order {
                punch.punch(&mails[at]).expect("punched");
            }
            assert_eq!(before - kept(&punch), 2, "{order:?}");
            let found = octets(&punch);
            assert_eq!((found[4_095], found[12_288]), (7, 7));
        }
    }

    #[test]
    fn what_is_behind_the_end_is_left_alone() {
        let (_file, mut punch) = file(2);
        punch.file.set_len(3 * PAGE_OCTETS).expect("grown");
        punch.end = 2 * PAGE_OCTETS;
        let before = kept(&punch);
        punch.punch(&stretch(4_096, 4_096)).expect("punched");
        assert_eq!(before - kept(&punch), 1);
        let tail = Position {
            segment: 2,
            offset: 3 * PAGE_OCTETS + 5,
            sequence: 9,
        };
        assert_eq!(end_of(Some(&tail), 1), u64::MAX);
        assert_eq!(end_of(Some(&tail), 2), 3 * PAGE_OCTETS);
        assert_eq!(end_of(Some(&tail), 3), 0);
        assert_eq!(end_of(None, 1), 0);
        let begun = Position {
            segment: 2,
            offset: HEAD_OCTETS,
            sequence: 1,
        };
        assert_eq!(end_of(Some(&begun), 2), 0);
    }
}
