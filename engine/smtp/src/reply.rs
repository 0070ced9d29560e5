//! Every reply the session gives by itself, and those a service gives in the same words. RFC 5321 §4.2, RFC 3463.

use crate::command::BadCommand;
use crate::parameter::BadParameter;
use ringpost_types::Reply;
use ringpost_types::reply::Enhanced;

macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident = $code:literal ($class:literal, $subject:literal, $detail:literal) $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Reply = Reply::new($code, Enhanced($class, $subject, $detail), $text);)*

        #[cfg(test)]
        const ALL: &[Reply] = &[$($name),*];
    };
}

/// DATA may begin. RFC 5321 §4.1.1.4; 3xx carries no enhanced code, RFC 2034 §4.
pub const START_MAIL_INPUT: Reply = Reply::plain(354, "End with CRLF . CRLF");

replies! {
    /// RSET.
    FLUSHED = 250 (2, 0, 0) "Flushed";
    /// NOOP.
    NOTHING_DONE = 250 (2, 0, 0) "Ok";
    /// MAIL.
    SENDER_OK = 250 (2, 1, 0) "Sender ok";
    /// RCPT.
    RECIPIENT_OK = 250 (2, 1, 5) "Recipient ok";
    /// BDAT, not the last.
    CHUNK_TAKEN = 250 (2, 0, 0) "Chunk taken";
    /// QUIT.
    BYE = 221 (2, 0, 0) "Bye";
    /// HELP. RFC 5321 §4.1.1.8.
    HELP = 214 (2, 0, 0) "See RFC 5321";
    /// VRFY: neither yes nor no. RFC 5321 §7.3.
    CANNOT_VERIFY = 252 (2, 5, 2) "Cannot verify; send mail and see";
    /// EXPN. RFC 5321 §7.3.
    NO_EXPANSION = 502 (5, 5, 1) "EXPN is not for strangers";
    /// STARTTLS. RFC 3207 §4.
    READY_FOR_TLS = 220 (2, 0, 0) "Ready to start TLS";
    /// AUTH. RFC 4954 §6.
    AUTHENTICATED = 235 (2, 7, 0) "Authenticated";

    /// Limit smtp_idle_commands_max.
    TOO_MANY_IDLE_COMMANDS = 421 (4, 7, 0) "Too many commands and no mail";
    /// Limit smtp_login_failures_max.
    TOO_MANY_LOGINS = 421 (4, 7, 0) "Too many failed logins";
    /// Nothing for too long. RFC 5321 §4.5.3.2.7, RFC 3463 §3.5.
    IDLE_TOO_LONG = 421 (4, 4, 2) "Nothing heard for too long";
    /// The server drains. RFC 5321 §3.8.
    SHUTTING_DOWN = 421 (4, 3, 2) "Shutting down, come back soon";
    /// Too many connections.
    BUSY = 421 (4, 3, 2) "Too many connections, come back later";
    /// Limit smtp_errors_max.
    TOO_MANY_ERRORS = 421 (4, 7, 0) "Too many errors";
    /// Limit smtp_transactions_max.
    TOO_MANY_TRANSACTIONS = 421 (4, 7, 0) "Too many mails on one connection, open another";

    /// No such verb.
    UNKNOWN_COMMAND = 500 (5, 5, 1) "Command not recognized";
    /// NUL, bare CR or LF, other control octets.
    BAD_OCTETS = 500 (5, 5, 2) "A command is text, ended by CRLF";
    /// Limit smtp_command_octets_max.
    LINE_TOO_LONG = 500 (5, 5, 2) "Line too long";
    /// Limit smtp_auth_octets_max. RFC 4954 §6.
    AUTH_LINE_TOO_LONG = 500 (5, 5, 6) "Authentication line too long";
    /// An argument is missing, wrong, or one too many.
    BAD_ARGUMENT = 501 (5, 5, 4) "Syntax error in arguments";
    /// HELO, EHLO, LHLO with something that is no name.
    BAD_HELO_NAME = 501 (5, 5, 4) "That is not a host name or address literal";
    /// MAIL.
    BAD_REVERSE_PATH = 501 (5, 1, 7) "Bad sender address syntax";
    /// RCPT.
    BAD_FORWARD_PATH = 501 (5, 1, 3) "Bad recipient address syntax";
    /// A non-ASCII address without SMTPUTF8. RFC 6531 §3.5.
    NEEDS_SMTPUTF8 = 553 (5, 6, 7) "Non-ASCII address without SMTPUTF8";
    /// BDAT without a length: the octets of the chunk would be taken for commands. The connection ends. RFC 7504 §3.
    BAD_CHUNK = 521 (5, 5, 4) "No telling where that chunk ends";
    /// HTTP. The connection ends before a request's body could be taken for commands. RFC 7504 §3.
    NO_WEB_SERVER = 521 (5, 5, 1) "This is no web server";
    /// After a refused DATA: what comes is a mail whose sender did not wait for 354. Its lines are not taken for commands.
    MAIL_UNASKED = 521 (5, 5, 1) "DATA was refused, and what follows is no command";
    /// A parameter given twice. RFC 5321 §4.1.1.11.
    PARAMETER_TWICE = 501 (5, 5, 4) "A parameter is given twice";
    /// RFC 3461 §4.1.
    BAD_NOTIFY = 501 (5, 5, 4) "NOTIFY is NEVER alone, or a list of SUCCESS, FAILURE and DELAY";
    /// RFC 3461 §4.2.
    BAD_ORCPT = 501 (5, 5, 4) "ORCPT is a type, a semicolon and an encoded address of printable characters";
    /// RFC 3461 §4.4.
    BAD_ENVID = 501 (5, 5, 4) "ENVID is up to 100 printable characters in xtext";
    /// RFC 4865 §4.
    BAD_HOLD = 501 (5, 5, 4) "HOLDFOR or HOLDUNTIL is unreadable, in the past, too far off, or later than BY lets the mail live";
    /// RFC 2852 §4.
    BAD_BY = 501 (5, 5, 4) "BY is seconds, a semicolon, R or N, and T for a trace; R needs time to come";
    /// RFC 6710 §3.
    BAD_PRIORITY = 501 (5, 5, 4) "MT-PRIORITY is a number from -9 to 9";
    /// XCLIENT with attributes that cannot be read.
    BAD_CLIENT = 501 (5, 5, 4) "Bad XCLIENT attribute";
    /// XCLIENT from whoever may not.
    XCLIENT_DENIED = 550 (5, 7, 0) "You may not speak for others";
    /// XCLIENT within a transaction.
    XCLIENT_OUT_OF_PLACE = 503 (5, 5, 1) "A mail is under way";
    /// DATA after BODY=BINARYMIME. RFC 3030 §3.
    BINARY_NEEDS_BDAT = 503 (5, 5, 1) "BODY=BINARYMIME goes by BDAT";
    /// RFC 5321 §4.1.1.11.
    UNKNOWN_PARAMETER = 555 (5, 5, 4) "Parameter not recognized";
    /// HELO or EHLO on LMTP, LHLO on SMTP. RFC 2033 §4.1.
    WRONG_HELLO = 500 (5, 5, 1) "Not the greeting of this protocol";
    /// A verb that this listener does not have.
    NOT_OFFERED = 502 (5, 5, 1) "Not offered here";
    /// MAIL before EHLO.
    HELLO_FIRST = 503 (5, 5, 1) "Say EHLO first";
    /// MAIL within a transaction. RFC 5321 §4.1.4.
    NESTED_MAIL = 503 (5, 5, 1) "Sender already given";
    /// RCPT, DATA or BDAT without MAIL.
    MAIL_FIRST = 503 (5, 5, 1) "Say MAIL first";
    /// DATA or BDAT without RCPT.
    RCPT_FIRST = 503 (5, 5, 1) "Say RCPT first";
    /// DATA or BDAT after nothing but refused RCPTs. RFC 5321 §3.3.
    NO_VALID_RECIPIENTS = 554 (5, 5, 1) "No valid recipients";
    /// The same in LMTP. RFC 2033 §4.2.
    NO_VALID_RECIPIENTS_LMTP = 503 (5, 5, 1) "No valid recipients";
    /// RCPT, MAIL or DATA between BDATs. RFC 3030 §2.
    BDAT_UNDERWAY = 503 (5, 5, 1) "BDAT is under way";
    /// STARTTLS inside TLS.
    TLS_ACTIVE = 503 (5, 5, 1) "TLS is active";
    /// Anything before STARTTLS where it is required. RFC 3207 §4.
    TLS_FIRST = 530 (5, 7, 0) "Say STARTTLS first";
    /// MAIL before AUTH on submission. RFC 6409 §4.3, RFC 4954 §6.
    AUTH_FIRST = 530 (5, 7, 0) "Authentication required";
    /// AUTH in clear where no STARTTLS is to be had. RFC 4954 §6.
    ENCRYPTION_REQUIRED = 538 (5, 7, 11) "Passwords are taken inside TLS only";
    /// AUTH within a transaction, or again. RFC 4954 §4.
    AUTH_OUT_OF_PLACE = 503 (5, 5, 1) "AUTH is not possible now";
    /// RFC 4954 §4.
    UNKNOWN_MECHANISM = 504 (5, 5, 4) "Mechanism not offered";
    /// `*`. RFC 4954 §4.
    AUTH_CANCELLED = 501 (5, 7, 0) "Authentication cancelled";
    /// Not base64, or not what the mechanism says. RFC 4954 §4.
    BAD_AUTH_RESPONSE = 501 (5, 5, 2) "Cannot read that response";
    /// RFC 4954 §6.
    AUTH_FAILED = 535 (5, 7, 8) "Authentication credentials invalid";
    /// RFC 4954 §6.
    AUTH_LATER = 454 (4, 7, 0) "Cannot check passwords just now";
    /// Limit smtp_recipients_max. RFC 5321 §4.5.3.1.10.
    TOO_MANY_RECIPIENTS = 452 (4, 5, 3) "Too many recipients";
    /// Limit message_octets_max. RFC 1870 §6.
    TOO_LARGE = 552 (5, 3, 4) "Message too large";
    /// A mail of which nobody can say what became: the sender tries again.
    NO_OUTCOME = 451 (4, 3, 0) "Trouble here, try again later";
    /// Bare CR or LF in a mail. RFC 5321 §2.3.8; the detail 11 is what large hosts answer with, senders know it. The same
    /// for what turns into one where NULs are dropped.
    BARE_LINE_END = 550 (5, 6, 11) "Bare CR or LF in the message, or a line of NULs and dots";
}

/// What a line that is no command is answered.
pub fn of_command(error: BadCommand) -> Reply {
    match error {
        BadCommand::Unknown => UNKNOWN_COMMAND,
        BadCommand::Octets => BAD_OCTETS,
        BadCommand::Web => NO_WEB_SERVER,
        BadCommand::Chunk => BAD_CHUNK,
        BadCommand::Argument => BAD_ARGUMENT,
        BadCommand::ReversePath => BAD_REVERSE_PATH,
        BadCommand::ForwardPath => BAD_FORWARD_PATH,
    }
}

/// What bad parameters are answered.
pub fn of_parameter(error: BadParameter) -> Reply {
    match error {
        BadParameter::Syntax => BAD_ARGUMENT,
        BadParameter::Unknown => UNKNOWN_PARAMETER,
        BadParameter::Twice => PARAMETER_TWICE,
        BadParameter::Notify => BAD_NOTIFY,
        BadParameter::Orcpt => BAD_ORCPT,
        BadParameter::Envid => BAD_ENVID,
        BadParameter::Hold => BAD_HOLD,
        BadParameter::By => BAD_BY,
        BadParameter::Priority => BAD_PRIORITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2034 §4: the class is the first digit of the code, and registered subjects go to 7. RFC 3463 §2. One sentence, in
    /// one line that leaves room for a trace. RFC 5321 §4.5.3.1.5.
    #[test]
    fn classes_and_sentences() {
        for reply in ALL {
            let Some(Enhanced(class, subject, _)) = reply.enhanced else {
                panic!("{reply:?}");
            };
            assert_eq!(u16::from(class), reply.code / 100, "{reply:?}");
            assert!(subject <= 7, "{reply:?}");
            let text = &*reply.text;
            assert!(
                !text.is_empty() && !text.ends_with('.') && text.len() < 400,
                "{text}"
            );
            assert!(
                text.bytes().all(|octet| matches!(octet, b' '..=b'~')),
                "{text}"
            );
        }
    }
}
