//! A mailbox as one mbox file.
//!
//! Mails are appended in the order of their UIDs. Beside the file stands `.FILE.state`, JSON: how far the export is. The next
//! export goes on behind that; what a killed run has written beyond it is cut off, and a file that somebody else has changed
//! meanwhile is left alone and told.

use super::{Done, Mailbox, Row, Run, make, replace};
use crate::Trouble;
use crate::error::Error;
use crate::mbox::{from, tree, write};
use ringpost_message::header;
use ringpost_types::Uid;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How far the export of a mailbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    uidvalidity: u32,
    /// The first UID that is not in the file.
    next: u32,
    /// Length of the file up to there.
    octets: u64,
    /// A run is under way, or was killed: what is behind is its own.
    writing: bool,
}

pub(super) fn mailbox(run: &mut Run<'_>, root: &Path, mailbox: &Mailbox) -> Result<(), Error> {
    let Some(path) = tree::path(&mailbox.name).map(|path| root.join(path)) else {
        return run.unnamed();
    };
    run.mailbox().target = path.display().to_string();
    if let Some(above) = path.parent() {
        make(above)?;
    }
    let beside = beside(&path);
    let (mut file, mut state) = match open(&path, &beside, mailbox)? {
        Ok(opened) => opened,
        Err(why) => return run.trouble(Trouble::new(&path, why)),
    };
    run.mailbox().known = known(run, mailbox, state.next)?;
    run.done += run.mailbox().known;
    state.writing = true;
    put_state(&beside, state)?;
    loop {
        let page = run.page(mailbox, Uid(state.next))?;
        let Some(last) = page.last().map(|row| row.uid) else {
            break;
        };
        for row in page {
            let uid = row.uid;
            let done = put(run, &mut file, row, &path);
            run.count(uid, done)?;
        }
        file.sync_data().map_err(Error::at(&path))?;
        state.octets = file.stream_position().map_err(Error::at(&path))?;
        state.next = last.0.saturating_add(1);
        put_state(&beside, state)?;
        if last.0 == u32::MAX {
            break;
        }
    }
    state.writing = false;
    put_state(&beside, state)
}

fn put(run: &Run<'_>, file: &mut File, row: Row, path: &Path) -> Result<Done, Error> {
    let Some((marks, mail)) = run.mail(row)? else {
        return Ok(Done::Gone);
    };
    let mut octets = Vec::with_capacity(mail.len() + 256);
    write::write(
        &from::sender(return_path(&mail)),
        &marks,
        &mail,
        &mut octets,
    );
    file.write_all(&octets).map_err(Error::at(path))?;
    Ok(Done::Written(mail.len() as u64))
}

/// The address of the Return-Path field in front, if there is one.
fn return_path(mail: &[u8]) -> Option<String> {
    let first = header::fields(mail).next()?;
    let value = first
        .name
        .eq_ignore_ascii_case(b"Return-Path")
        .then_some(first.value)?;
    let value = String::from_utf8_lossy(value.trim_ascii()).into_owned();
    Some(value.strip_prefix('<')?.strip_suffix('>')?.to_owned())
}

/// Messages that are in the file already.
fn known(run: &Run<'_>, mailbox: &Mailbox, next: u32) -> Result<u64, Error> {
    let snapshot = run.place.store.snapshot()?;
    let mut known = 0;
    ringpost_api::read::messages(&*snapshot, mailbox.account, mailbox.id, Uid(1), |uid, _| {
        known += u64::from(uid.0 < next);
        match uid.0 < next {
            true => std::ops::ControlFlow::Continue(()),
            false => std::ops::ControlFlow::Break(()),
        }
    })?;
    Ok(known)
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.state"))
}

fn put_state(path: &Path, state: State) -> Result<(), Error> {
    let text = serde_json::to_vec(&state).expect("numbers are JSON");
    replace(path, &text)
}

/// The file, at the place where it goes on; or why it is left alone.
#[allow(clippy::type_complexity)] // The inner result is a decision, the outer one a failure.
fn open(
    path: &Path,
    beside: &Path,
    mailbox: &Mailbox,
) -> Result<Result<(File, State), &'static str>, Error> {
    let state = match fs::read(beside) {
        Ok(octets) => serde_json::from_slice::<State>(&octets).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::at(beside)(error)),
    };
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    let mut file = options.open(path).map_err(Error::at(path))?;
    let octets = file.metadata().map_err(Error::at(path))?.len();
    let state = match state {
        None if octets == 0 => State {
            uidvalidity: mailbox.uidvalidity,
            next: 1,
            ..State::default()
        },
        None => return Ok(Err("it is there, and no export wrote it")),
        Some(state) if state.uidvalidity != mailbox.uidvalidity => {
            return Ok(Err("it is the export of another mailbox of that name"));
        }
        Some(state) if octets < state.octets || (octets > state.octets && !state.writing) => {
            return Ok(Err("it was changed since the last export"));
        }
        Some(state) => state,
    };
    file.set_len(state.octets).map_err(Error::at(path))?;
    file.seek(SeekFrom::Start(state.octets))
        .map_err(Error::at(path))?;
    Ok(Ok((file, state)))
}
