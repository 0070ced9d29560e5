//! What each command does in the state it meets. RFC 5321 §4.1.4, §4.3.2.

use super::{Action, Chunk, Mail, Phase, Question, Recipient, Session};
use crate::command::{self, BadCommand, Command};
use crate::extension::{self, Circumstances};
use crate::path::Path;
use crate::{Role, Tls, parameter, reply};
use ringpost_types::address::AddressError;
use ringpost_types::{Address, Domain, Reply};

impl Session {
    /// Executes one line.
    pub(super) fn execute<'i>(&mut self, line: &[u8]) -> Action<'i> {
        let command = match command::parse(line) {
            Ok(command) => command,
            Err(bad @ (BadCommand::Chunk | BadCommand::Web)) => {
                self.end(reply::of_command(bad));
                return self.next_reply().map_or(Action::Close, Action::Reply);
            }
            Err(bad) => return self.say(reply::of_command(bad)),
        };
        if self.tls == Tls::Required && !allowed_before_tls(&command) {
            return self.refuse(command, reply::TLS_FIRST);
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
            Command::Vrfy => self.say(reply::CANNOT_VERIFY),
            Command::Expn => self.say(reply::NO_EXPANSION),
            Command::StartTls => self.start_tls(),
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial),
            Command::Quit => {
                self.end(reply::BYE);
                self.next_reply().map_or(Action::Close, Action::Reply)
            }
        }
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
            let circumstances = Circumstances {
                role: self.options.role,
                tls: self.tls,
                message_octets_max: self.options.limits.message_octets_max,
            };
            extension::offer(hostname, &circumstances)
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
            self.end(reply::TOO_MANY_TRANSACTIONS);
            return self.next_reply().map_or(Action::Close, Action::Reply);
        }
        let parameters = match parameter::mail(parameters) {
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
        let mail = Mail {
            reverse_path,
            size: parameters.size,
            utf8: parameters.utf8,
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
        if let Err(bad) = parameter::rcpt(parameters) {
            return self.say(reply::of_parameter(bad));
        }
        if u64::from(self.transaction.recipients) >= self.options.limits.smtp_recipients_max {
            return self.say(reply::TOO_MANY_RECIPIENTS);
        }
        let recipient = match path {
            Path::Null => return self.say(reply::BAD_FORWARD_PATH),
            Path::Postmaster => Recipient::Postmaster,
            Path::Mailbox(text) => match address(text, self.transaction.utf8) {
                Ok(address) => Recipient::Mailbox(address),
                Err(BadAddress::Syntax) => return self.say(reply::BAD_FORWARD_PATH),
                Err(BadAddress::NeedsUtf8) => return self.say(reply::NEEDS_SMTPUTF8),
            },
        };
        self.ask(Question::Recipient, Action::Recipient(recipient))
    }

    fn begin_data<'i>(&mut self) -> Action<'i> {
        if self.transaction.chunking {
            return self.say(reply::BDAT_UNDERWAY);
        }
        if let Some(refusal) = self.refusal_of_body() {
            return self.say(refusal);
        }
        let size = self.transaction.size;
        self.ask(Question::Data, Action::Begin { size })
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

    /// RFC 4954 §4.
    fn auth<'i>(&mut self, mechanism: &str, initial: Option<&str>) -> Action<'i> {
        if self.options.role != Role::Submission {
            return self.say(reply::NOT_OFFERED);
        }
        match self.tls {
            Tls::Active => {}
            Tls::Absent => return self.say(reply::ENCRYPTION_REQUIRED),
            Tls::Offered | Tls::Required => return self.say(reply::TLS_FIRST),
        }
        if self.helo.is_none() {
            return self.say(reply::HELLO_FIRST);
        }
        if self.authenticated || self.transaction.open {
            return self.say(reply::AUTH_OUT_OF_PLACE);
        }
        if !mechanism.eq_ignore_ascii_case("PLAIN") {
            return self.say(reply::UNKNOWN_MECHANISM);
        }
        match initial {
            Some(response) => self.authenticate(response.as_bytes()),
            None => {
                self.phase = Phase::Response;
                self.say(reply::CHALLENGE)
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

enum BadAddress {
    Syntax,
    NeedsUtf8,
}

/// An address that the transaction may carry. RFC 6531 §3.5.
fn address(text: &str, utf8: bool) -> Result<Address, BadAddress> {
    if !utf8 && !text.is_ascii() {
        return Err(BadAddress::NeedsUtf8);
    }
    Address::parse(text).map_err(|_: AddressError| BadAddress::Syntax)
}
