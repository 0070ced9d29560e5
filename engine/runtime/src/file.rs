//! Files on the shard's ring: what the mail log writes and reads through.
//!
//! Writing, reading and syncing go through the ring and do not hold the shard. Nor do reserving and cutting, which come once
//! for each segment and may wait for the file system's journal (cutting: mostly 0.2 ms, up to 25 on a busy disk): they
//! take a thread for that time. What is removed is removed by a thread too: of a thousand peers that leave in the middle of
//! large mails each left a file, and each took 18 ms on a busy disk. Opening is a plain system call.
//!
//! A durable write is a write and an fdatasync. One write to a descriptor opened with O_DSYNC, an operation less, was tried
//! and gave half as many small mails a second; the figures are in `ringpost_log::append`.

use crate::offload::Offload;
use crate::time::{Duration, sleep};
use monoio::buf::IoBufMut;
use monoio::fs::File;
use ringpost_log::file::{Blocking, Files, Mode, SegmentFile};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Opens files for the ring of this shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingFiles;

/// A file on the ring.
#[derive(Debug)]
pub struct RingFile {
    file: File,
}

impl Files for RingFiles {
    type File = RingFile;

    async fn open(&self, path: &Path, mode: Mode) -> io::Result<RingFile> {
        let mut options = OpenOptions::new();
        options.read(true).mode(0o600);
        match mode {
            Mode::Read | Mode::Directory => {}
            Mode::Write => _ = options.write(true),
            Mode::Create => _ = options.write(true).create_new(true),
        }
        let file = File::from_std(options.open(path)?)?;
        Ok(RingFile { file })
    }

    fn remove(path: PathBuf) {
        static REMOVER: OnceLock<Option<Sender<PathBuf>>> = OnceLock::new();
        let remover = REMOVER.get_or_init(|| {
            let (paths, received) = channel();
            let removes = move || received.into_iter().for_each(Blocking::remove);
            let thread = thread::Builder::new().name("remover".into());
            thread.spawn(removes).ok().map(|_| paths)
        });
        match remover {
            Some(paths) => _ = paths.send(path),
            None => Blocking::remove(path),
        }
    }

    async fn pause(&self, time: Duration) {
        sleep(time).await;
    }
}

impl SegmentFile for RingFile {
    async fn write_at(&self, octets: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        // Takes care of short writes.
        self.file.write_all_at(octets, offset).await
    }

    async fn read_at(
        &self,
        mut octets: Vec<u8>,
        offset: u64,
        limit: usize,
    ) -> (io::Result<()>, Vec<u8>) {
        octets.clear();
        octets.reserve_exact(limit);
        let mut filled = 0;
        while filled < limit {
            let rest = octets.slice_mut(filled..limit);
            let (result, slice) = self.file.read_at(rest, offset + filled as u64).await;
            octets = slice.into_inner();
            match result {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    octets.truncate(filled);
                    return (Err(error), octets);
                }
            }
        }
        octets.truncate(filled);
        (Ok(()), octets)
    }

    async fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().await
    }

    async fn allocate(&self, octets: u64) -> io::Result<()> {
        let length = signed(octets)?;
        self.beside(move |file| {
            // SAFETY: fallocate(2) takes no pointers; the descriptor is open while `file` is.
            match unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        })
        .await
    }

    async fn truncate(&self, octets: u64) -> io::Result<()> {
        self.beside(move |file| file.set_len(octets)).await
    }

    async fn octets(&self) -> io::Result<u64> {
        self.file.metadata().await.map(|metadata| metadata.len())
    }
}

impl RingFile {
    /// Runs a system call that may wait on a thread that is there for nothing else.
    async fn beside(
        &self,
        call: impl FnOnce(std::fs::File) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        // SAFETY: the descriptor is open while `self` is, and the borrow ends with this statement.
        let file = unsafe { BorrowedFd::borrow_raw(self.file.as_raw_fd()) }.try_clone_to_owned()?;
        let thread = Offload::start(1, 1)?;
        let called = thread.run(move || call(file.into())).await;
        called.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

fn signed(octets: u64) -> io::Result<libc::off_t> {
    octets
        .try_into()
        .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))
}
