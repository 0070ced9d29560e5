//! How the command line asks: through the control socket while a server runs, else on the store itself.
//!
//! In:  a [`Request`]. Out: an [`Answer`], or a [`Failure`] with its exit code. Blocks; it has a thread of its own.

use super::operation::{self, Operation, Teller, World};
use super::request::{self, Answer, Plan, Request};
use super::socket;
use crate::cli::exit::Failure;
use crate::cli::tell;
use crate::config::Config;
use ringpost_api::{Error, Outcome, ReplyTo, Sink, Store, Write};
use ringpost_directory::Domains;
use ringpost_lmdb::Lmdb;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long a running server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Asks whoever has the store: the server that runs on it, or the store itself.
pub fn ask(config: &Config, request: Request) -> Result<Answer, Failure> {
    match ask_server(config, &request)? {
        Some(answer) => Ok(answer),
        None => directly(config, &request),
    }
}

/// Asks the server that runs; `None`: there is none.
pub fn ask_server(config: &Config, request: &Request) -> Result<Option<Answer>, Failure> {
    let path = socket(&config.data_dir);
    match UnixStream::connect(&path) {
        Ok(stream) => {
            let answer = through(stream, request).map_err(|error| {
                Failure::unreachable(format!("the server at {}: {error}", path.display()))
            })?;
            answer.map(Some)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Failure::unreachable(format!(
                "the server at {} lets only its own user in: {error}; run as that user or root",
                path.display()
            )))
        }
        // No server: none was started, or one was killed and left its socket behind.
        Err(_) => Ok(None),
    }
}

fn through(mut stream: UnixStream, request: &Request) -> io::Result<Result<Answer, Failure>> {
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::other(
            "it closed the connection without an answer",
        ));
    }
    Ok(serde_json::from_str::<Answer>(&answer)?.into_result())
}

/// Has an operation done by whoever has the store. Its report.
pub fn operate(config: &Config, operation: Operation, tell: Teller<'_>) -> Result<Value, Failure> {
    let path = socket(&config.data_dir);
    let gone = |error: io::Error| {
        Failure::unreachable(format!("the server at {}: {error}", path.display()))
    };
    match UnixStream::connect(&path) {
        Ok(stream) => operate_through(stream, operation, tell).map_err(gone)?,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(gone(error)),
        Err(_) => {
            let store = open(config)?;
            let world = World {
                store: store.clone(),
                config: Arc::new(config.clone()),
            };
            let report = operation::perform(&world, &operation, tell);
            store.close();
            report
        }
    }
}

fn operate_through(
    mut stream: UnixStream,
    operation: Operation,
    tell: Teller<'_>,
) -> io::Result<Result<Value, Failure>> {
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    let mut line = serde_json::to_vec(&Request::Operate(operation))?;
    line.push(b'\n');
    stream.write_all(&line)?;
    for line in BufReader::new(stream).lines() {
        let answer = serde_json::from_str::<Answer>(&line?)?;
        match answer.into_result() {
            Ok(Answer::Progress(progress)) => {
                if tell(progress).is_break() {
                    return Ok(Err(Failure::not_well("ended before it was done")));
                }
            }
            Ok(Answer::Report(report)) => return Ok(Ok(report)),
            Ok(other) => return Err(io::Error::other(format!("an answer to nothing: {other:?}"))),
            Err(failure) => return Ok(Err(failure)),
        }
    }
    Err(io::Error::other(
        "it closed the connection without an answer",
    ))
}

fn directly(config: &Config, request: &Request) -> Result<Answer, Failure> {
    let store = open(config)?;
    let answer = match request {
        Request::StoreStatus => Ok(Answer::status(&store.health())),
        request => perform(&*store, &Domains::new(config.domains.clone()), request),
    };
    store.close();
    answer
}

/// Opens the store in `data_dir`, which is made where it is missing.
pub fn open(config: &Config) -> Result<Arc<Lmdb>, Failure> {
    let data_dir = &config.data_dir;
    make_private(data_dir).map_err(|error| {
        Failure::unreachable(format!(
            "data_dir {}: {error}; make it, or run as the user that owns it",
            data_dir.display()
        ))
    })?;
    Lmdb::open(data_dir, options(config)).map_err(Failure::unreachable)
}

/// How the store is kept, as the configuration says.
pub fn options(config: &Config) -> ringpost_lmdb::Options {
    let usual = ringpost_lmdb::Options::default();
    ringpost_lmdb::Options {
        limits: config.limits.clone(),
        map_octets: config.map_octets.unwrap_or(usual.map_octets),
        alarm: tell,
        ..usual
    }
}

/// Makes a folder for the server's user alone, and the ones above it.
pub fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// Does what `request` asks, and waits until it is durable.
pub fn perform(store: &dyn Store, domains: &Domains, request: &Request) -> Result<Answer, Failure> {
    let plan = request::plan(&*store.snapshot()?, domains, request)?;
    match plan {
        Plan::Answer(answer) => Ok(answer),
        Plan::Write(write) => request::finish(submit(store, write)),
    }
}

/// Hands a write over and waits for what comes of it.
fn submit(store: &dyn Store, write: Write) -> Result<Outcome, Error> {
    struct Wait(mpsc::SyncSender<Result<Outcome, Error>>);
    impl Sink for Wait {
        fn complete(&self, answers: Vec<(u64, Result<Outcome, Error>)>) {
            for (_, answer) in answers {
                let _ = self.0.try_send(answer);
            }
        }
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let reply = ReplyTo {
        sink: Arc::new(Wait(sender)),
        token: 0,
    };
    store.submit(write, Some(reply));
    receiver.recv().unwrap_or(Err(Error::Closed))
}
