//! The octets of one message: the recipient's prefix, then the shared mail out of its segment.
//!
//! In:  what a snapshot said of the message, copied, for the snapshot is closed before the first read.
//! Out: octets in memory up to a bound, or streamed to the client in pieces.
//!
//! Invariant: a literal is as long as it was announced; where the octets cannot be read the connection ends, for the
//! client could not tell an error from the mail.

use crate::outcome::{End, Refusal};
use crate::section::{self, Run};
use crate::session::Session;
use ringpost_api::table::{BlobRow, MessageRow};
use ringpost_api::{Error, Snapshot, read};
use ringpost_imap::data;
use ringpost_log::LogError;
use ringpost_message::Digest;
use ringpost_runtime::event;
use ringpost_types::{AccountId, MailboxId, Uid};
use std::cell::Cell;
use std::ops::Range;
use std::time::{Duration, Instant};

/// A message that is going to be read.
#[derive(Debug)]
pub(crate) struct Mail {
    /// Its place in the view.
    pub place: usize,
    pub uid: u32,
    pub row: MessageRow,
    /// Where its octets are, as far as is known.
    blob: Cell<BlobRow>,
    /// When that was looked up.
    looked: Cell<Instant>,
    pub prefix: Vec<u8>,
    digest: Vec<u8>,
}

impl Mail {
    /// Copies what reading the message needs. `None`: its mail is not in the store, which is damage.
    pub(crate) fn open(
        snapshot: &dyn Snapshot,
        (account, mailbox): (AccountId, MailboxId),
        place: usize,
        uid: u32,
        row: &MessageRow,
    ) -> Result<Self, Error> {
        let gone = || Error::Damaged(format!("blob {} of a message is not there", row.blob));
        let prefix = match row.prefix_octets {
            0 => Vec::new(),
            _ => read::prefix(snapshot, account, mailbox, Uid(uid))?.to_vec(),
        };
        Ok(Mail {
            place,
            uid,
            row: *row,
            blob: Cell::new(read::blob(snapshot, row.blob)?.ok_or_else(gone)?),
            looked: Cell::new(Instant::now()),
            prefix,
            digest: read::digest(snapshot, row.blob)?.ok_or_else(gone)?.to_vec(),
        })
    }

    pub(crate) fn digest(&self) -> Result<Digest<'_>, Error> {
        Digest::read(&self.digest)
            .map_err(|_| Error::Damaged(format!("digest of blob {}", self.row.blob)))
    }

    /// Octets of a run.
    fn length(&self, run: &Run) -> u64 {
        let prefix = if run.prefix {
            self.prefix.len() as u64
        } else {
            0
        };
        prefix + (run.shared.end - run.shared.start)
    }

    /// Reads some of the shared octets. A mail that was moved since its row was read is looked up once more; and so is one
    /// that is sent slowly: what was let go of is left as it was for a grace time alone.
    pub(crate) async fn piece(
        &self,
        session: &Session,
        range: Range<u64>,
        buffer: Vec<u8>,
    ) -> Result<Vec<u8>, LogError> {
        let reader = session.context.post.reader();
        let grace = Duration::from_millis(session.context.limits.tidy_grace_ms);
        if self.looked.get().elapsed() >= grace / 2 {
            self.look_up(session)?;
        }
        let read = reader.read(&self.blob.get(), range.clone(), buffer).await;
        if read != Err(LogError::Moved) {
            return read;
        }
        self.look_up(session)?;
        reader.read(&self.blob.get(), range, Vec::new()).await
    }

    /// Where the mail is now.
    fn look_up(&self, session: &Session) -> Result<(), LogError> {
        let now = match session.snapshot() {
            Ok(snapshot) => read::blob(&*snapshot, self.row.blob),
            Err(error) => Err(error),
        };
        self.blob.set(now.ok().flatten().ok_or(LogError::Moved)?);
        self.looked.set(Instant::now());
        Ok(())
    }

    /// Reads a run, up to `octets_max` of it.
    pub(crate) async fn gather(
        &self,
        session: &Session,
        run: &Run,
        octets_max: u64,
    ) -> Result<Vec<u8>, LogError> {
        let mut octets = Vec::new();
        if run.prefix {
            octets.extend_from_slice(&self.prefix);
        }
        let end = run
            .shared
            .end
            .min(run.shared.start.saturating_add(octets_max));
        let (mut at, mut piece) = (run.shared.start, Vec::new());
        while at < end {
            piece = self.piece(session, at..end, piece).await?;
            if piece.is_empty() {
                return Err(LogError::Damaged);
            }
            octets.extend_from_slice(&piece);
            at += piece.len() as u64;
        }
        Ok(octets)
    }

    /// Sends a run as a literal, cut as `partial` says.
    pub(crate) async fn stream(
        &self,
        session: &mut Session,
        run: &Run,
        partial: Option<(u64, u64)>,
    ) -> Result<(), End> {
        let (first, count) = section::cut(self.length(run), partial);
        data::content_header(session.out(), count);
        let prefix: &[u8] = if run.prefix { &self.prefix } else { &[] };
        let prefix_octets = prefix.len() as u64;
        if first < prefix_octets {
            let end = prefix_octets.min(first + count);
            session
                .out()
                .extend_from_slice(&prefix[first as usize..end as usize]);
        }
        // From here on places are in the shared octets.
        let mut at = run.shared.start + first.saturating_sub(prefix_octets);
        let end = run.shared.start + (first + count).saturating_sub(prefix_octets);
        let mut piece = Vec::new();
        while at < end {
            piece = match self.piece(session, at..end, piece).await {
                Ok(piece) if !piece.is_empty() => piece,
                failed => {
                    let error = failed.err().unwrap_or(LogError::Damaged);
                    event!(
                        session.trace,
                        "imap: blob {} cannot be read: {error}",
                        self.row.blob
                    );
                    return Err(End::Lost);
                }
            };
            session.out().extend_from_slice(&piece);
            at += piece.len() as u64;
            session.breathe_if_full().await?;
        }
        Ok(())
    }
}

/// A mail that cannot be read is the operator's to know, and NO to the client.
pub(crate) fn unreadable(session: &Session, mail: &Mail, error: &LogError) -> Refusal {
    event!(
        session.trace,
        "imap: blob {} cannot be read: {error}",
        mail.row.blob
    );
    Error::Damaged(String::new()).into()
}
