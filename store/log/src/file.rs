//! Files as the log needs them: a small trait that a shard's ring fulfils, and a plain blocking one.
//!
//! In:  a path, an offset, a buffer that the operation owns while it runs.
//! Out: the buffer back, with the result beside it.
//!
//! Invariant: nothing here is `Send`; a file belongs to the shard that opened it. `write_at`, `read_at` and `sync_data`
//! are the hot operations; `open`, `allocate` and `truncate` come once for each segment.

use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reading a file that is there.
    Read,
    /// Reading and writing a file that is there.
    Write,
    /// Reading and writing a file that must not be there yet; made with mode 0600.
    Create,
    /// A directory, to sync it.
    Directory,
}

/// Opens files. A handle: clones open the same ones.
#[allow(async_fn_in_trait)] // The futures stay on one shard: no `Send` is wanted.
pub trait Files: Clone + 'static {
    /// An open file; closed when dropped.
    type File: SegmentFile;

    /// Opens `path`.
    async fn open(&self, path: &Path, mode: Mode) -> io::Result<Self::File>;

    /// Removes the file `path`, now or soon: nobody waits for it, and what fails is done at the next start.
    fn remove(path: PathBuf) {
        let _ = fs::remove_file(path);
    }

    /// Lets about so much time go by, or none where nobody else could do anything meanwhile.
    async fn pause(&self, _: Duration) {}

    /// What the time of a write is taken with.
    fn clock(&self) -> Instant {
        Instant::now()
    }
}

/// An open file. Several operations may be under way at once.
#[allow(async_fn_in_trait)] // As above.
pub trait SegmentFile {
    /// Writes all of `octets` at `offset`, and gives the buffer back.
    async fn write_at(&self, octets: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>);

    /// Reads at `offset` into `octets`, in place of what is in it, at most `limit` octets; afterwards its length
    /// is what was read. Fewer than `limit` only at the end of the file. Gives the buffer back.
    async fn read_at(
        &self,
        octets: Vec<u8>,
        offset: u64,
        limit: usize,
    ) -> (io::Result<()>, Vec<u8>);

    /// Makes what was written durable: fdatasync.
    async fn sync_data(&self) -> io::Result<()>;

    /// [`SegmentFile::write_at`] and then [`SegmentFile::sync_data`]: a ring may link the two.
    async fn write_durable(&self, octets: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        match self.write_at(octets, offset).await {
            (Ok(()), octets) => (self.sync_data().await, octets),
            failed => failed,
        }
    }

    /// Reserves space up to `octets` from the start: fallocate, which sets the length too.
    async fn allocate(&self, octets: u64) -> io::Result<()>;

    /// Cuts or extends the file to `octets`.
    async fn truncate(&self, octets: u64) -> io::Result<()>;

    /// The length in octets.
    async fn octets(&self) -> io::Result<u64>;
}

/// Files by plain system calls: tools, tests, recovery. Its futures are ready at the first poll.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocking;

impl Files for Blocking {
    type File = File;

    async fn open(&self, path: &Path, mode: Mode) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).mode(0o600);
        match mode {
            Mode::Read | Mode::Directory => {}
            Mode::Write => _ = options.write(true),
            Mode::Create => _ = options.write(true).create_new(true),
        }
        options.open(path)
    }
}

impl SegmentFile for File {
    async fn write_at(&self, octets: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        (self.write_all_at(&octets, offset), octets)
    }

    async fn read_at(
        &self,
        mut octets: Vec<u8>,
        offset: u64,
        limit: usize,
    ) -> (io::Result<()>, Vec<u8>) {
        octets.resize(limit, 0);
        let mut filled = 0;
        let result = loop {
            match FileExt::read_at(self, &mut octets[filled..], offset + filled as u64) {
                Ok(0) => break Ok(()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        octets.truncate(filled);
        (result, octets)
    }

    async fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    async fn allocate(&self, octets: u64) -> io::Result<()> {
        let length = i64::try_from(octets).map_err(|_| io::ErrorKind::FileTooLarge)?;
        // SAFETY: the descriptor is open as long as `self` is borrowed; the call touches no memory of ours.
        match unsafe { libc::fallocate(self.as_raw_fd(), 0, 0, length) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    async fn truncate(&self, octets: u64) -> io::Result<()> {
        self.set_len(octets)
    }

    async fn octets(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// Runs a future to its end that never has to wait, as those over [`Blocking`] are.
///
/// # Panics
/// When it has to wait after all.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a future over blocking files had to wait"),
    }
}
