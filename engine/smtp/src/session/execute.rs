//! What each command does in the state it meets. RFC 5321 §4.1.4, §4.3.2.

use super::{Action, Chunk, Phase, Question, Session};
use crate::command::{self, BadCommand, Command};
use crate::envelope::{Body, Mail, Rcpt, Recipient};
use crate::path::Path;
use crate::{Role, Tls, chunk, extension, parameter, reply, xtext};
use ringpost_types::address::AddressError;
use ringpost_types::{Address, Domain, Reply};

impl Session {
    /// Executes one line.
    pub(super) fn execute<'i>(&mut self, line: &[u8]) -> Action<'i> {
        let command = match command::parse(line) {
            Ok(command) => command,
            Err(bad) => return self.no_command(line, bad),
        };
        match command {
            Command::Auth { mechanism, initial } => self.transcript.auth(mechanism, initial),
            // What nobody reads may be anything, a password too.
            Command::Noop | Command::Help | Command::Absent => {
                let (verb, rest) = line.split_at(VERB_OCTETS);
                self.transcript.secret(verb, rest.len());
            }
            _ => self.transcript.command(line),
        }
        self.data_refused = false;
        self.chunk_refused &= matches!(command, Command::Bdat { .. });
        if self.tls == Tls::Required && !allowed_before_tls(&command) {
            return self.refuse(command, reply::TLS_FIRST);
        }
        if is_idle(&command)
            && let Some(last) = self.count_idle()
        {
            return self.say_last(last);
        }
        match command {
            Command::Helo(name) => self.hello(name, Greeting::Helo),
            Command::Ehlo(name) => self.hello(name, Greeting::Ehlo),
            Command::Lhlo(name) => self.hello(name, Greeting::Lhlo),
            Command::Mail(path, parameters) => self.mail(path, parameters),
            Command::Rcpt(path, parameters) => self.rcpt(path, parameters),
            Command::Data => self.begin_data(),
            Command::Bdat { octets, last } => self.bdat(Chunk {
                octets_left: octets,
                last,
            }),
            Command::Rset => self.reset(reply::FLUSHED),
            Command::Noop => self.say(reply::NOTHING_DONE),
            Command::Help => self.say(reply::HELP),
            Command::Vrfy { needs_utf8: true } => self.say(reply::NEEDS_SMTPUTF8),
            Command::Vrfy { needs_utf8: false } => self.say(reply::CANNOT_VERIFY),
            Command::Expn => self.say(reply::NO_EXPANSION),
            Command::StartTls => self.start_tls(),
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial),
            Command::Xclient(attributes) => self.xclient(attributes),
            Command::Absent => self.say(reply::NOT_OFFERED),
            Command::Quit => self.say_last(reply::BYE),
        }
    }

    /// A line that is no command. What it is may be a secret, unless its verb is ours.
    fn no_command<'i>(&mut self, line: &[u8], bad: BadCommand) -> Action<'i> {
        match bad {
            BadCommand::Argument | BadCommand::ReversePath | BadCommand::ForwardPath => {
                self.transcript.command(line);
            }
            _ => self.transcript.secret(b"", line.len()),
        }
        if self.data_refused {
            return self.say_last(reply::MAIL_UNASKED);
        }
        match bad {
            BadCommand::Chunk | BadCommand::Web => self.say_last(reply::of_command(bad)),
            bad => self.say(reply::of_command(bad)),
        }
    }

    /// A line over its limit.
    pub(super) fn too_long<'i>(&mut self) -> Action<'i> {
        self.transcript.note("C: a line that is too long");
        if self.data_refused {
            return self.say_last(reply::MAIL_UNASKED);
        }
        if self.lines.of_chunk() {
            return self.say_last(reply::BAD_CHUNK);
        }
        self.say(reply::LINE_TOO_LONG)
    }

    /// RFC 5321 §4.1.1.1: EHLO anywhere acts as RSET. RFC 2033 §4.1: LMTP has LHLO and neither of the others.
    fn hello<'i>(&mut self, name: &str, greeting: Greeting) -> Action<'i> {
        let lmtp = self.options.role == Role::Lmtp;
        if lmtp != (greeting == Greeting::Lhlo) {
            return self.say(reply::WRONG_HELLO);
        }
        // A name in UTF-8 is not for EHLO. RFC 5321 §2.3.5.
        if !name.is_ascii() || Domain::parse(name).is_err() {
            return self.say(reply::BAD_HELO_NAME);
        }
        self.helo = Some(name.into());
        self.extended = greeting != Greeting::Helo;
        let hostname = &self.options.hostname;
        let text = if self.extended {
            extension::offer(hostname, &self.circumstances())
        } else {
            hostname.clone().into()
        };
        self.reset(Reply::with_text(250, None, text))
    }

    fn mail<'i>(&mut self, path: Path<'_>, parameters: &[u8]) -> Action<'i> {
        if let Some(refusal) = self.refusal_of_mail() {
            return self.say(refusal);
        }
        if self.transactions >= self.options.limits.smtp_transactions_max {
            return self.say_last(reply::TOO_MANY_TRANSACTIONS);
        }
        let parameters = match parameter::mail(parameters, &self.circumstances()) {
            Ok(parameters) => parameters,
            Err(bad) => return self.say(reply::of_parameter(bad)),
        };
        let message_octets_max = self.options.limits.message_octets_max;
        if parameters
            .size
            .is_some_and(|size| size > message_octets_max)
        {
            return self.say(reply::TOO_LARGE);
        }
        let reverse_path = match path {
            Path::Null => None,
            Path::Postmaster => return self.say(reply::BAD_REVERSE_PATH),
            Path::Mailbox(text) => match address(text, parameters.utf8) {
                Ok(address) => Some(address),
                Err(BadAddress::Syntax) => return self.say(reply::BAD_REVERSE_PATH),
                Err(BadAddress::NeedsUtf8) => return self.say(reply::NEEDS_SMTPUTF8),
            },
        };
        self.transaction.utf8 = parameters.utf8;
        self.transaction.size = parameters.size;
        self.transaction.body = parameters.body;
        if parameters.body == Body::Binary {
            self.transaction.line_ends = chunk::LineEnds::of_binary();
        }
        let mail = Mail {
            reverse_path,
            size: parameters.size,
            utf8: parameters.utf8,
            body: parameters.body,
            ret: parameters.ret,
            envid: parameters.envid,
            require_tls: parameters.require_tls,
            hold: parameters.hold,
            by: parameters.by,
            priority: parameters.priority,
        };
        self.ask(Question::Mail, Action::Mail(mail))
    }

    /// Why MAIL is out of place, if it is.
    fn refusal_of_mail(&self) -> Option<Reply> {
        if self.helo.is_none() {
            return Some(reply::HELLO_FIRST);
        }
        if self.options.role == Role::Submission && !self.authenticated {
            return Some(reply::AUTH_FIRST);
        }
        if self.transaction.chunking {
            return Some(reply::BDAT_UNDERWAY);
        }
        self.transaction.open.then_some(reply::NESTED_MAIL)
    }

    fn rcpt<'i>(&mut self, path: Path<'_>, parameters: &[u8]) -> Action<'i> {
        if !self.transaction.open {
            return self.say(reply::MAIL_FIRST);
        }
        if self.transaction.chunking {
            return self.say(reply::BDAT_UNDERWAY);
        }
        let utf8 = self.transaction.utf8;
        let parameters = match parameter::rcpt(parameters, utf8, &self.circumstances()) {
            Ok(parameters) => parameters,
            Err(bad) => return self.say(reply::of_parameter(bad)),
        };
        if u64::from(self.transaction.recipients) >= self.options.limits.smtp_recipients_max {
            return self.say(reply::TOO_MANY_RECIPIENTS);
        }
        let path = match path {
            Path::Null => return self.say(reply::BAD_FORWARD_PATH),
            Path::Postmaster => Recipient::Postmaster,
            Path::Mailbox(text) => match address(text, utf8) {
                Ok(address) => Recipient::Mailbox(address),
                Err(BadAddress::Syntax) => return self.say(reply::BAD_FORWARD_PATH),
                Err(BadAddress::NeedsUtf8) => return self.say(reply::NEEDS_SMTPUTF8),
            },
        };
        let recipient = Rcpt {
            path,
            notify: parameters.notify,
            orcpt: parameters.orcpt,
        };
        self.ask(Question::Recipient, Action::Recipient(recipient))
    }

    /// A client that does not wait for the answer sends its mail all the same: [`Session::no_command`] ends that.
    fn begin_data<'i>(&mut self) -> Action<'i> {
        if let Some(refusal) = self.refusal_of_data() {
            self.data_refused = true;
            return self.say(refusal);
        }
        let size = self.transaction.size;
        self.ask(Question::Data, Action::Begin { size })
    }

    fn refusal_of_data(&self) -> Option<Reply> {
        if self.transaction.chunking {
            return Some(reply::BDAT_UNDERWAY);
        }
        // RFC 3030 §3.
        let binary = self.transaction.body == Body::Binary;
        self.refusal_of_body()
            .or(binary.then_some(reply::BINARY_NEEDS_BDAT))
    }

    /// Why there is nobody to take a body for, if so. RFC 5321 §3.3.
    pub(super) fn refusal_of_body(&self) -> Option<Reply> {
        if !self.transaction.open {
            return Some(reply::MAIL_FIRST);
        }
        match (self.transaction.recipients, self.transaction.refused) {
            (0, 0) => Some(reply::RCPT_FIRST),
            (0, _) if self.options.role == Role::Lmtp => Some(reply::NO_VALID_RECIPIENTS_LMTP),
            (0, _) => Some(reply::NO_VALID_RECIPIENTS),
            _ => None,
        }
    }

    /// RFC 3207 §4. Whatever was pipelined behind the command is dropped with the action.
    fn start_tls<'i>(&mut self) -> Action<'i> {
        match self.tls {
            Tls::Active => self.say(reply::TLS_ACTIVE),
            Tls::Absent => self.say(reply::NOT_OFFERED),
            Tls::Offered | Tls::Required => {
                let action = self.reset(reply::READY_FOR_TLS);
                if !matches!(self.phase, Phase::Ended) {
                    self.phase = Phase::StartTls;
                }
                action
            }
        }
    }
}

/// How a client greets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Greeting {
    Helo,
    Ehlo,
    Lhlo,
}

/// RFC 3207 §4 lets NOOP, EHLO, STARTTLS and QUIT pass; HELO too, it gives nothing away.
fn allowed_before_tls(command: &Command<'_>) -> bool {
    use Command::*;
    matches!(
        command,
        Noop | Helo(_) | Ehlo(_) | Lhlo(_) | StartTls | Quit
    )
}

/// Of a verb whose argument nobody reads.
const VERB_OCTETS: usize = 4;

/// A chunk in the middle of a mail that brings less, in octets, brings next to nothing: a mail could be made to last for
/// ever by chunks of one octet, or of none.
const CHUNK_OCTETS: u64 = 512;

/// Commands that bring no mail nearer. RFC 5321 has no bound for them; smtp_idle_commands_max is ours.
fn is_idle(command: &Command<'_>) -> bool {
    use Command::*;
    match command {
        Noop | Rset | Help | Vrfy { .. } | Expn | Helo(_) | Ehlo(_) | Lhlo(_) | Xclient(_) => true,
        Bdat { octets, last } => !last && *octets < CHUNK_OCTETS,
        _ => false,
    }
}

enum BadAddress {
    Syntax,
    NeedsUtf8,
}

/// An address that the transaction may carry. RFC 6531 §3.5.
fn address(text: &str, utf8: bool) -> Result<Address, BadAddress> {
    if !text.is_ascii() {
        if !utf8 {
            return Err(BadAddress::NeedsUtf8);
        }
        if text.chars().any(xtext::breaks_lines) {
            return Err(BadAddress::Syntax);
        }
    }
    Address::parse(text).map_err(|_: AddressError| BadAddress::Syntax)
}
