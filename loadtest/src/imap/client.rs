//! One IMAP connection: commands go out one at a time, responses are handed on in pieces. RFC 9051 §2.2.
//!
//! In:  a [`Service`], a user, commands without their tag.
//! Out: [`Piece`]s of every untagged response; an error unless the command was answered OK.

use std::io::Write as _;
use std::time::Duration;

use ringpost_runtime::{Connection, TlsClient};

use crate::imap::response::{Cutter, Piece, counted, quoted};
use crate::target::{Service, Tls};
use crate::wire::{self, Error};

/// Who looks into which mailbox.
#[derive(Clone, Debug)]
pub struct Login {
    pub user: String,
    pub password: String,
    pub mailbox: String,
}

/// An idle connection waits for what may never come; RFC 9051 §6.3.13 ends it after 29 minutes anyway.
const IDLE_MAX: Duration = Duration::from_secs(3600);

/// A connection on which no command is under way.
pub struct Client {
    connection: Connection,
    cutter: Cutter,
    tag: u32,
    /// Octets of all responses so far.
    pub received: u64,
}

impl Client {
    /// Connects, takes the greeting, starts TLS where the service says so.
    pub async fn open(service: &Service, tls: &TlsClient) -> Result<Client, Error> {
        let connection = wire::connect(&service.target, service.tls, tls).await?;
        let mut client = Client {
            connection,
            cutter: Cutter::default(),
            tag: 0,
            received: 0,
        };
        client.line(|line| is_ok(line, b"* ")).await??;
        if service.tls == Tls::Starttls {
            client.command("STARTTLS", |_| ()).await?;
            wire::start_tls(&mut client.connection, tls).await?;
        }
        Ok(client)
    }

    /// LOGIN and SELECT; returns how many messages are there.
    pub async fn enter(&mut self, login: &Login) -> Result<u64, Error> {
        let (user, password) = (quoted(&login.user), quoted(&login.password));
        self.command(&format!("LOGIN {user} {password}"), |_| ())
            .await?;
        let mut exists = 0;
        let select = format!("SELECT {}", quoted(&login.mailbox));
        self.command(&select, |piece| {
            if let Piece::Last(line) = piece {
                exists = counted(line, b"EXISTS").unwrap_or(exists);
            }
        })
        .await?;
        Ok(exists)
    }

    /// Sends a command and hands on what comes until its tagged response.
    pub async fn command(
        &mut self,
        command: &str,
        mut on_piece: impl FnMut(Piece<'_>),
    ) -> Result<(), Error> {
        self.tag += 1;
        let tag = format!("L{} ", self.tag);
        // Writing to a Vec cannot fail.
        let _ = write!(self.connection.output(), "{tag}{command}\r\n");
        wire::flush(&mut self.connection).await?;
        self.until_tagged(&tag, &mut on_piece).await
    }

    /// Appends a mail to `mailbox`. RFC 9051 §6.3.12, with a synchronizing literal, which every server takes.
    pub async fn append(&mut self, mailbox: &str, mail: &[u8]) -> Result<(), Error> {
        self.tag += 1;
        let (tag, mailbox) = (format!("L{} ", self.tag), quoted(mailbox));
        let _ = write!(
            self.connection.output(),
            "{tag}APPEND {mailbox} {{{}}}\r\n",
            mail.len()
        );
        wire::flush(&mut self.connection).await?;
        self.continuation().await?;
        self.connection.output().extend_from_slice(mail);
        self.connection.output().extend_from_slice(b"\r\n");
        wire::flush(&mut self.connection).await?;
        self.until_tagged(&tag, &mut |_| ()).await
    }

    /// Starts IDLE; from then on only [`Client::pushed`]. RFC 9051 §6.3.13.
    pub async fn idle(&mut self) -> Result<(), Error> {
        self.connection.silence_max(IDLE_MAX);
        self.connection.output().extend_from_slice(b"IDLE IDLE\r\n");
        wire::flush(&mut self.connection).await?;
        self.continuation().await
    }

    /// Waits for as long as it takes until something comes to an idle connection; whether it tells of new mail.
    pub async fn pushed(&mut self) -> Result<bool, Error> {
        let mut told = false;
        loop {
            let piece = self
                .cutter
                .next(self.connection.input())
                .map_err(|_| Error::Malformed)?;
            match piece {
                Some((piece, octets)) => {
                    told |= matches!(piece, Piece::Last(l) if counted(l, b"EXISTS").is_some());
                    self.connection.consume(octets);
                    self.received += octets as u64;
                }
                None if told => return Ok(true),
                None => wire::more(&mut self.connection).await?,
            }
        }
    }

    /// Says goodbye.
    pub async fn logout(mut self) {
        let _ = self.command("LOGOUT", |_| ()).await;
        self.connection.close().await;
    }

    async fn continuation(&mut self) -> Result<(), Error> {
        loop {
            // Untagged responses may come first: RFC 9051 §7.
            let answer = self
                .line(|line| match line {
                    [b'+', ..] => Some(Ok(())),
                    [b'*', ..] => None,
                    other => Some(Err(refused(other))),
                })
                .await?;
            if let Some(answer) = answer {
                return answer;
            }
        }
    }

    /// Reads one response without literals.
    async fn line<T>(&mut self, mut take: impl FnMut(&[u8]) -> T) -> Result<T, Error> {
        loop {
            let piece = self
                .cutter
                .next(self.connection.input())
                .map_err(|_| Error::Malformed)?;
            let Some((piece, octets)) = piece else {
                wire::more(&mut self.connection).await?;
                continue;
            };
            let Piece::Last(line) = piece else {
                return Err(Error::Malformed);
            };
            let taken = take(line);
            self.connection.consume(octets);
            self.received += octets as u64;
            return Ok(taken);
        }
    }

    async fn until_tagged(
        &mut self,
        tag: &str,
        on_piece: &mut dyn FnMut(Piece<'_>),
    ) -> Result<(), Error> {
        // Only the first piece of a response can be tagged.
        let mut at_start = true;
        loop {
            let input = self.connection.input();
            let mut taken = 0;
            let mut answer = None;
            while answer.is_none()
                && let Some((piece, octets)) = self
                    .cutter
                    .next(&input[taken..])
                    .map_err(|_| Error::Malformed)?
            {
                taken += octets;
                match piece {
                    Piece::Last(line) if at_start && line.starts_with(tag.as_bytes()) => {
                        answer = Some(is_ok(line, tag.as_bytes()));
                    }
                    piece => on_piece(piece),
                }
                at_start = matches!(piece, Piece::Last(_));
            }
            self.connection.consume(taken);
            self.received += taken as u64;
            match answer {
                Some(answer) => return answer,
                None => wire::more(&mut self.connection).await?,
            }
        }
    }
}

/// Whether a status response is OK (or PREAUTH). RFC 9051 §7.1.
fn is_ok(line: &[u8], before: &[u8]) -> Result<(), Error> {
    let status = line.get(before.len()..).unwrap_or_default();
    match status {
        [b'O' | b'o', b'K' | b'k', ..] | [b'P', b'R', b'E', ..] => Ok(()),
        _ => Err(refused(line)),
    }
}

fn refused(line: &[u8]) -> Error {
    Error::Refused(String::from_utf8_lossy(line).into_owned())
}
