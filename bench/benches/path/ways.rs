//! Ways to make a batch durable, as files that the log is given: what the shard's ring does, and what else could be done.

use ringpost_log::{Files, Mode, SegmentFile};
use ringpost_runtime::file::{RingFile, RingFiles};
use std::fs::{File, OpenOptions};
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Write and fdatasync on the ring, one after the other: what the server does.
    Ring,
    /// pwrite and fdatasync on a thread beside the shard.
    Thread,
    /// One pwrite with O_DSYNC on that thread.
    ThreadDsync,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Ring, Way::Thread, Way::ThreadDsync];

    pub fn name(self) -> &'static str {
        match self {
            Way::Ring => "ring, write and fdatasync",
            Way::Thread => "thread, pwrite and fdatasync",
            Way::ThreadDsync => "thread, O_DSYNC",
        }
    }

    /// Files of this way, for one shard.
    pub fn files(self) -> WayFiles {
        let beside = matches!(self, Way::Thread | Way::ThreadDsync).then(beside);
        WayFiles { way: self, beside }
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// A thread for the writes of one shard; it ends with the last handle.
fn beside() -> Sender<Work> {
    let (sender, works) = channel::<Work>();
    let run = move || works.into_iter().for_each(|work| work());
    let thread = std::thread::Builder::new().name("log".into()).spawn(run);
    thread.expect("a thread");
    sender
}

#[derive(Clone)]
pub struct WayFiles {
    way: Way,
    beside: Option<Sender<Work>>,
}

pub struct WayFile {
    way: Way,
    ring: RingFile,
    beside: Option<(Sender<Work>, Arc<File>)>,
}

impl Files for WayFiles {
    type File = WayFile;

    async fn open(&self, path: &Path, mode: Mode) -> io::Result<WayFile> {
        let ring = RingFiles.open(path, mode).await?;
        let beside = match &self.beside {
            Some(beside) if matches!(mode, Mode::Write | Mode::Create) => {
                let mut options = OpenOptions::new();
                options.write(true);
                if self.way == Way::ThreadDsync {
                    options.custom_flags(rustix::fs::OFlags::DSYNC.bits() as i32);
                }
                Some((beside.clone(), Arc::new(options.open(path)?)))
            }
            _ => None,
        };
        let way = self.way;
        Ok(WayFile { way, ring, beside })
    }

    async fn pause(&self, time: Duration) {
        RingFiles.pause(time).await;
    }
}

impl SegmentFile for WayFile {
    async fn write_at(&self, octets: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        self.ring.write_at(octets, offset).await
    }

    async fn read_at(
        &self,
        octets: Vec<u8>,
        offset: u64,
        limit: usize,
    ) -> (io::Result<()>, Vec<u8>) {
        self.ring.read_at(octets, offset, limit).await
    }

    async fn sync_data(&self) -> io::Result<()> {
        self.ring.sync_data().await
    }

    async fn write_durable(&self, octets: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        match (&self.beside, self.way) {
            (Some((beside, file)), way) => {
                let file = Arc::clone(file);
                on(beside, move || {
                    let mut written = file.write_all_at(&octets, offset);
                    if way == Way::Thread && written.is_ok() {
                        written = file.sync_data();
                    }
                    (written, octets)
                })
                .await
            }
            _ => self.ring.write_durable(octets, offset).await,
        }
    }

    async fn allocate(&self, octets: u64) -> io::Result<()> {
        self.ring.allocate(octets).await
    }

    async fn truncate(&self, octets: u64) -> io::Result<()> {
        self.ring.truncate(octets).await
    }

    async fn octets(&self) -> io::Result<u64> {
        self.ring.octets().await
    }
}

/// What the shard waits for, and who waits.
struct Desk<T>(Mutex<(Option<T>, Option<Waker>)>);

impl<T> Desk<T> {
    fn with<R>(&self, look: impl FnOnce(&mut (Option<T>, Option<Waker>)) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Has `work` done on the thread, and the shard go on meanwhile.
async fn on<T: Send + 'static>(
    beside: &Sender<Work>,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let desk = Arc::new(Desk(Mutex::new((None, None))));
    let theirs = Arc::clone(&desk);
    let work = move || {
        let done = work();
        let waker = theirs.with(|desk| {
            desk.0 = Some(done);
            desk.1.take()
        });
        waker.into_iter().for_each(Waker::wake);
    };
    beside
        .send(Box::new(work))
        .expect("the thread lives as long as its files");
    poll_fn(|context| {
        desk.with(|desk| match desk.0.take() {
            Some(done) => Poll::Ready(done),
            None => {
                desk.1 = Some(context.waker().clone());
                Poll::Pending
            }
        })
    })
    .await
}
