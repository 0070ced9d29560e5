//! One SMTP or LMTP connection that sends one mail after another. RFC 5321 §3.3, RFC 2033, RFC 3030, RFC 2920.
//!
//! In:  a [`Plan`] and the number of a mail.
//! Out: what became of it, into the [`Tally`].
//!
//! | from      | on                         | to        |
//! |-----------|----------------------------|-----------|
//! | envelope  | MAIL or all RCPT refused   | refused   |
//! | envelope  | connection ends            | failed    |
//! | content   | last piece begun           | open      |
//! | open      | 2yz                        | accepted  |
//! | open      | 4yz, 5yz                   | refused   |
//! | open      | connection ends            | doubtful  |

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use data_encoding::BASE64;
use hdrhistogram::Histogram;
use ringpost_runtime::Connection;

use crate::ledger::{Entry, Ledger};
use crate::message::{Form, Id};
use crate::reply::{self, Reply};
use crate::report;
use crate::smtp::plan::{Dialect, Pace, Plan};
use crate::target::Tls;
use crate::wire::{self, Error};

/// Octets given to the connection at once: large mails are not copied whole.
const PIECE_OCTETS: usize = 128 * 1024;

/// What the sessions of one thread have to tell.
pub struct Tally {
    pub ledger: Ledger,
    /// From MAIL to the reply after the content, in nanoseconds.
    pub latency: Histogram<u64>,
    pub complaints: Vec<String>,
}

/// Complaints kept of each thread.
const COMPLAINTS_MAX: usize = 10;

impl Tally {
    pub fn new(run: u64) -> Self {
        let ledger = Ledger {
            run,
            ..Ledger::default()
        };
        Tally {
            ledger,
            latency: report::histogram(),
            complaints: Vec::new(),
        }
    }

    /// Keeps the first few.
    pub fn complain(&mut self, text: impl FnOnce() -> String) {
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(text());
        }
    }
}

/// A question on the wire whose reply has not been read.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Mail,
    Recipient(u32),
    Data,
}

/// A connection that is ready for MAIL.
pub struct Client<'p> {
    plan: &'p Plan,
    connection: Connection,
    size_offered: bool,
    asked: Vec<Asked>,
    mail: Envelope,
}

/// What is known of the mail under way. Kept between mails for its capacity.
#[derive(Default)]
struct Envelope {
    /// Accounts whose RCPT was not refused and that no reply to the content has settled.
    recipients: Vec<u32>,
    /// DATA was answered with 354.
    go: bool,
    refusal: Option<String>,
    /// The server says it closes: 421. RFC 5321 §3.8.
    closing: bool,
}

/// Whether the connection can take another mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Next,
    Reconnect,
}

impl<'p> Client<'p> {
    /// Connects, greets, and does what the plan asks of TLS and AUTH.
    pub async fn open(plan: &'p Plan) -> Result<Client<'p>, Error> {
        let connection = wire::connect(&plan.target, plan.tls, &plan.tls_client).await?;
        let (asked, mail) = (Vec::new(), Envelope::default());
        let mut client = Client {
            plan,
            connection,
            size_offered: false,
            asked,
            mail,
        };
        client.expect(220).await?;
        client.hello().await?;
        if plan.tls == Tls::Starttls {
            client.command(format_args!("STARTTLS\r\n"), 220).await?;
            wire::start_tls(&mut client.connection, &plan.tls_client).await?;
            client.hello().await?;
        }
        if let Some((user, password)) = &plan.login {
            // RFC 4616 §2: authorization identity (none), NUL, user, NUL, password.
            let response = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
            client
                .command(format_args!("AUTH PLAIN {response}\r\n"), 235)
                .await?;
        }
        Ok(client)
    }

    async fn hello(&mut self) -> Result<(), Error> {
        let verb = match self.plan.dialect {
            Dialect::Smtp => "EHLO",
            Dialect::Lmtp => "LHLO",
        };
        let _ = write!(
            self.connection.output(),
            "{verb} load.ringpost-load.invalid\r\n"
        );
        wire::flush(&mut self.connection).await?;
        let chunked = self.plan.form == Form::Chunk;
        let mut lacks_chunking = false;
        self.size_offered = self
            .reply(|reply| {
                lacks_chunking = chunked && !reply.offers("CHUNKING");
                match reply.code {
                    250 => Ok(reply.offers("SIZE")),
                    _ => Err(Error::Refused(reply.say())),
                }
            })
            .await??;
        match lacks_chunking {
            true => Err(Error::Refused("the server does not offer CHUNKING".into())),
            false => Ok(()),
        }
    }

    /// Sends mail `number`. An error is the connection's end; the tally has been told either way.
    pub async fn send(&mut self, number: u64, tally: &RefCell<Tally>) -> Result<Then, Error> {
        let start = Instant::now();
        let entry = |account| Entry { account, number };
        let mut sent = false;
        if let Err(error) = self.transaction(number, &mut sent, tally).await {
            if sent {
                tally
                    .borrow_mut()
                    .ledger
                    .doubtful
                    .extend(self.mail.recipients.drain(..).map(entry));
            }
            return Err(error);
        }
        let counts = &self.plan.counts;
        match self.mail.refusal.take() {
            None => {
                let nanoseconds = start.elapsed().as_nanos() as u64;
                tally.borrow_mut().latency.saturating_record(nanoseconds);
                counts.accepted.fetch_add(1, Relaxed);
                let octets = self.plan.corpus.template(number).octets() as u64;
                counts.octets.fetch_add(octets, Relaxed);
            }
            Some(reply) => {
                counts.refused.fetch_add(1, Relaxed);
                tally
                    .borrow_mut()
                    .complain(|| format!("mail {number}: {reply}"));
                if !self.mail.closing {
                    self.command(format_args!("RSET\r\n"), 250).await?;
                }
            }
        }
        Ok(if self.mail.closing {
            Then::Reconnect
        } else {
            Then::Next
        })
    }

    async fn transaction(
        &mut self,
        number: u64,
        sent: &mut bool,
        tally: &RefCell<Tally>,
    ) -> Result<(), Error> {
        let (plan, size) = (self.plan, self.plan.corpus.template(number).octets());
        self.mail.recipients.clear();
        (self.mail.go, self.mail.refusal) = (false, None);
        match self.size_offered {
            true => self.put(format_args!(
                "MAIL FROM:<{}> SIZE={size}\r\n",
                plan.reverse_path
            )),
            false => self.put(format_args!("MAIL FROM:<{}>\r\n", plan.reverse_path)),
        }
        self.ask(Asked::Mail).await?;
        for account in plan.recipients(number) {
            if self.mail.refusal.is_some() && plan.pace == Pace::Stepwise {
                break;
            }
            self.put(format_args!(
                "RCPT TO:<{}>\r\n",
                plan.accounts[account as usize]
            ));
            self.ask(Asked::Recipient(account)).await?;
        }
        match plan.form {
            Form::Data => {
                if !self.mail.recipients.is_empty() {
                    self.put(format_args!("DATA\r\n"));
                    self.ask(Asked::Data).await?;
                }
                self.settle().await?;
                if !self.mail.go {
                    return Ok(());
                }
                if self.mail.recipients.is_empty() {
                    // RFC 2920 §3.1: 354 without recipients is answered with an empty mail.
                    self.put(format_args!(".\r\n"));
                    *sent = true;
                    wire::flush(&mut self.connection).await?;
                    return self.reply(|_| ()).await;
                }
            }
            Form::Chunk => {
                if plan.pace == Pace::Stepwise && self.mail.recipients.is_empty() {
                    return Ok(());
                }
                self.put(format_args!("BDAT {size} LAST\r\n"));
            }
        }
        self.content(number, sent).await?;
        self.settle().await?;
        self.verdicts(number, tally).await
    }

    /// Writes and sends the mail itself.
    async fn content(&mut self, number: u64, sent: &mut bool) -> Result<(), Error> {
        let (plan, id) = (
            self.plan,
            Id {
                run: self.plan.run,
                number,
            },
        );
        let template = plan.corpus.template(number);
        let mut rest = template.render(self.connection.output(), id, plan.form);
        while rest.len() > PIECE_OCTETS {
            let (piece, after) = rest.split_at(PIECE_OCTETS);
            self.connection.output().extend_from_slice(piece);
            wire::flush(&mut self.connection).await?;
            rest = after;
        }
        self.connection.output().extend_from_slice(rest);
        *sent = true;
        wire::flush(&mut self.connection).await
    }

    /// Reads what the server says to the content: once, or in LMTP once for each recipient. RFC 2033 §4.2.
    async fn verdicts(&mut self, number: u64, tally: &RefCell<Tally>) -> Result<(), Error> {
        let replies = match self.plan.dialect {
            Dialect::Smtp => 1,
            Dialect::Lmtp => self.mail.recipients.len().max(1),
        };
        for _ in 0..replies {
            let refusal = self.reply(|reply| refusal(&reply)).await?;
            let answered = match self.plan.dialect {
                Dialect::Smtp => self.mail.recipients.len(),
                Dialect::Lmtp => self.mail.recipients.len().min(1),
            };
            let answered = self.mail.recipients.drain(..answered);
            match refusal {
                None => {
                    let entry = |account| Entry { account, number };
                    tally
                        .borrow_mut()
                        .ledger
                        .accepted
                        .extend(answered.map(entry));
                }
                Some(text) => {
                    drop(answered);
                    self.refuse(text);
                }
            }
        }
        Ok(())
    }

    /// Says goodbye; what comes of it does not matter.
    pub async fn quit(mut self) {
        let _ = self.command(format_args!("QUIT\r\n"), 221).await;
        self.connection.close().await;
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a Vec cannot fail.
        let _ = self.connection.output().write_fmt(text);
    }

    /// Notes a question just written; in step, waits for its answer at once.
    async fn ask(&mut self, asked: Asked) -> Result<(), Error> {
        self.asked.push(asked);
        if let Asked::Recipient(account) = asked {
            self.mail.recipients.push(account);
        }
        match self.plan.pace {
            Pace::Stepwise => self.settle().await,
            Pace::Pipelined => Ok(()),
        }
    }

    /// Reads the replies to all questions asked.
    async fn settle(&mut self) -> Result<(), Error> {
        if self.asked.is_empty() {
            return Ok(());
        }
        if !self.connection.output().is_empty() {
            wire::flush(&mut self.connection).await?;
        }
        for at in 0..self.asked.len() {
            let refusal = self.reply(|reply| refusal(&reply)).await?;
            match (self.asked[at], &refusal) {
                (Asked::Mail, Some(_)) => self.mail.recipients.clear(),
                (Asked::Recipient(account), Some(_)) => {
                    self.mail.recipients.retain(|taken| *taken != account)
                }
                (Asked::Data, None) => self.mail.go = true,
                _ => {}
            }
            if let Some(text) = refusal {
                self.refuse(text);
            }
        }
        self.asked.clear();
        Ok(())
    }

    fn refuse(&mut self, text: String) {
        self.mail.closing |= text.starts_with("421");
        // The first reason is the one that matters; those after it follow from it.
        self.mail.refusal.get_or_insert(text);
    }

    async fn command(&mut self, text: std::fmt::Arguments<'_>, code: u16) -> Result<(), Error> {
        self.put(text);
        wire::flush(&mut self.connection).await?;
        self.expect(code).await
    }

    async fn expect(&mut self, code: u16) -> Result<(), Error> {
        let as_expected = |reply: Reply<'_>| match reply.code == code {
            true => Ok(()),
            false => Err(Error::Refused(reply.say())),
        };
        self.reply(as_expected).await?
    }

    /// Reads one reply and hands it to `take`.
    async fn reply<T>(&mut self, take: impl FnOnce(Reply<'_>) -> T) -> Result<T, Error> {
        loop {
            let parsed = reply::parse(self.connection.input()).map_err(|_| Error::Malformed)?;
            if let Some(reply) = parsed {
                let (taken, octets) = (take(reply), reply.octets.len());
                self.connection.consume(octets);
                return Ok(taken);
            }
            wire::more(&mut self.connection).await?;
        }
    }
}

fn refusal(reply: &Reply<'_>) -> Option<String> {
    (!reply.is_positive()).then(|| reply.say())
}
