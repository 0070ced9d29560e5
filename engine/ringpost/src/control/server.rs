//! The control socket: DATA/control.sock, for the server's user alone, one JSON line each way.
//!
//! In:  lines of [`Request`], any number on a connection. Out: one [`Answer`] line for each.
//!
//! Invariants: mode 0600 before anyone can connect; a line is at most [`REQUEST_OCTETS_MAX`]; at most
//! [`CONNECTIONS_MAX`] at once, each silent for [`SILENCE_MAX`] at most.

use super::ban;
use super::operation::{BEAT, Bench, Operation, Progress, World};
use super::request::{self, Answer, Plan, REQUEST_OCTETS_MAX, Request};
use crate::cli::exit::Failure;
use ringpost_admission::Admission;
use ringpost_api::{Error, Outcome, ReplyTo, Sink, Store};
use ringpost_directory::Directory;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// Operators at once.
const CONNECTIONS_MAX: usize = 16;

/// How long one may be silent: a forgotten one must not hold a place.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What requests are answered from.
pub struct Desk {
    /// The store of this server.
    pub store: Arc<dyn Store>,
    /// Its directory, for the local domains in force.
    pub directory: Arc<Directory>,
    /// Who may come in: it hears of bans at once.
    pub admission: Arc<Admission>,
    /// What operations work on.
    pub world: World,
    /// Where they are done.
    pub bench: Bench,
    /// Held while aliases are looked over and changed: two changes at once could make a circle that neither has.
    pub aliases: tokio::sync::Mutex<()>,
}

/// Opens the socket at `path`. A file that a killed server left there is replaced: the caller holds the lock of
/// the data folder, so nobody else can be listening.
pub fn bind(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The data folder has mode 0700, so nobody can come in between bind and chmod.
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers for as long as it is polled.
pub async fn run(listener: UnixListener, desk: Arc<Desk>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                tokio::task::spawn_local(async move {
                    // A peer that goes away has had what it wanted.
                    let _ = serve(stream, &desk).await;
                    drop(place);
                });
            }
            Err(error) => {
                crate::cli::tell(&format!("control socket: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: UnixStream, desk: &Desk) -> io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut input).take(REQUEST_OCTETS_MAX as u64);
        let read = timeout(SILENCE_MAX, bounded.read_until(b'\n', &mut line));
        if read.await.unwrap_or(Ok(0))? == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let answer = match serde_json::from_slice::<Request>(&line) {
            Ok(Request::Operate(operation)) if whole => {
                operate(desk, operation, &mut output).await?
            }
            Ok(request) if whole => answer(desk, &request).await,
            Ok(_) => Err(Failure::usage("a request must end with a line end")),
            Err(error) => Err(Failure::usage(format!("not a request: {error}"))),
        };
        write(&mut output, &Answer::from(answer)).await?;
        if !whole {
            return Ok(());
        }
    }
}

/// Passes on what an operation tells until its last answer, which is returned. Who goes away ends it.
async fn operate(
    desk: &Desk,
    operation: Operation,
    output: &mut OwnedWriteHalf,
) -> io::Result<Result<Answer, Failure>> {
    let mut running = match desk.bench.begin(desk.world.clone(), operation) {
        Ok(running) => running,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut last = Progress::default();
    loop {
        match timeout(BEAT, running.answers.recv()).await {
            Ok(Some(Answer::Progress(progress))) => {
                last = Progress {
                    note: None,
                    ..progress.clone()
                };
                write(output, &Answer::Progress(progress)).await?;
            }
            Ok(Some(answer)) => return Ok(answer.into_result()),
            Ok(None) => return Ok(Err(Failure::unreachable("the operation broke off"))),
            Err(_) => write(output, &Answer::Progress(last.clone())).await?,
        }
    }
}

async fn write(output: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    match timeout(SILENCE_MAX, output.write_all(&line)).await {
        Ok(written) => written,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Failure> {
    if let Request::StoreStatus = request {
        // Of the index itself: it is asked for above all when nothing can be looked up.
        return Ok(Answer::status(&desk.world.store.health()));
    }
    let _turn = match request {
        Request::AliasAdd { .. } | Request::AliasRemove { .. } | Request::AliasImport(_) => {
            Some(desk.aliases.lock().await)
        }
        _ => None,
    };
    let plan = {
        let snapshot = desk.store.snapshot()?;
        request::plan(&*snapshot, &desk.directory.domains(), request)?
    };
    let write = match plan {
        Plan::Answer(answer) => return Ok(answer),
        Plan::Write(write) => write,
    };
    let (sender, receiver) = oneshot::channel();
    let sink = Arc::new(Wait(Mutex::new(Some(sender))));
    desk.store.submit(write, Some(ReplyTo { sink, token: 0 }));
    let answer = request::finish(receiver.await.unwrap_or(Err(Error::Closed)))?;
    ban::heard(&desk.admission, request);
    Ok(answer)
}

/// Takes the one answer across to the control plane's thread.
struct Wait(Mutex<Option<oneshot::Sender<Result<Outcome, Error>>>>);

impl Sink for Wait {
    fn complete(&self, answers: Vec<(u64, Result<Outcome, Error>)>) {
        for (_, answer) in answers {
            let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(sender) = sender.take() {
                let _ = sender.send(answer);
            }
        }
    }
}
