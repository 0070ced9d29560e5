//! What each error is answered: the one place where errors become replies.

use ringpost_delivery::Error;
use ringpost_log::LogError;
use ringpost_types::Reply;
use ringpost_types::reply::Enhanced;

/// RCPT: the domain is ours, the user is not there.
pub const NO_SUCH_USER: Reply = Reply::new(550, Enhanced(5, 1, 1), "No such user here");
/// RCPT: mail would have to leave this host.
pub const NO_QUEUE: Reply = Reply::new(451, Enhanced(4, 3, 2), "Outbound queue not running");
/// MAIL: the reverse-path is not one of the user's. RFC 6409 §6.1.
pub const NOT_YOURS: Reply = Reply::new(
    553,
    Enhanced(5, 7, 1),
    "Sender address does not belong to you",
);
/// MAIL: the account that has logged in is disabled or gone since. RFC 5248's registry, 5.7.13.
pub const DISABLED: Reply = Reply::new(525, Enhanced(5, 7, 13), "The account is disabled");
/// The body: too much header to know whose name the mail bears.
pub const HEADER_UNREAD: Reply = Reply::new(
    554,
    Enhanced(5, 6, 0),
    "The header is too large to be checked",
);
/// The body: limit smtp_authors_max.
pub const TOO_MANY_AUTHORS: Reply = Reply::new(
    550,
    Enhanced(5, 7, 1),
    "Too many addresses in From and Sender",
);
/// The body: a From without any address.
pub const NO_AUTHOR: Reply = Reply::new(550, Enhanced(5, 7, 1), "From names no address");
/// RCPT: the listener takes nothing, ever.
pub const DEFERRED: Reply = Reply::new(
    451,
    Enhanced(4, 7, 1),
    "This host takes no mail now, try another one",
);
/// Before the greeting: a client that speaks first does not listen either. RFC 5321 §4.3.1.
pub const TALKED_EARLY: Reply = Reply::new(554, Enhanced(5, 5, 1), "Spoke before the greeting");
/// Limits smtp_command_ms and smtp_data_block_ms.
pub const TOO_SLOW: Reply = Reply::new(421, Enhanced(4, 4, 2), "Too slow, try again later");
/// An idle session while memory is short.
pub const SPARED: Reply = Reply::new(
    421,
    Enhanced(4, 3, 1),
    "Short of memory, and you are idle; try again later",
);
/// XCLIENT: logged in as somebody whom we do not know.
pub const NO_SUCH_LOGIN: Reply = Reply::new(550, Enhanced(5, 7, 1), "No such account");
/// RCPT: every account behind it has used up its quota.
pub const MAILBOX_FULL: Reply = Reply::new(452, Enhanced(4, 2, 2), "Mailbox full, try again later");
/// RCPT: the mail, as large as MAIL said, is larger than the quota. RFC 1870 §6.1.
pub const MAILBOX_SMALL: Reply = Reply::new(552, Enhanced(5, 2, 2), "Mail exceeds mailbox quota");
/// RCPT: more accounts than one record may name.
pub const TOO_MANY_ACCOUNTS: Reply = Reply::new(452, Enhanced(4, 5, 3), "Too many recipients");
/// The body: too many Received fields. RFC 5321 §6.3.
pub const LOOP: Reply = Reply::new(
    554,
    Enhanced(5, 4, 6),
    "Too many hops, this mail is in a loop",
);
/// The store cannot be asked or written just now.
pub const TROUBLE: Reply = Reply::new(451, Enhanced(4, 3, 0), "Trouble here, try again later");
/// No room, on disk or in memory.
pub const NO_ROOM: Reply = Reply::new(452, Enhanced(4, 3, 1), "No room just now, try again later");

/// The body: an address of From or Sender is not one of the user's. RFC 6409 §6.1.
pub fn not_your_author(address: &str) -> Reply {
    let text = format!("From address {address} does not belong to you");
    Reply::with_text(550, Some(Enhanced(5, 7, 1)), text)
}

/// What a mail that was not taken is answered.
pub fn of_delivery(error: &Error) -> Reply {
    match error {
        Error::Memory | Error::Lag | Error::Log(LogError::Full) => NO_ROOM,
        Error::Store(ringpost_api::Error::Full) => NO_ROOM,
        Error::Log(LogError::TooLarge) => ringpost_smtp::reply::TOO_LARGE,
        Error::Log(LogError::Closed) | Error::Store(ringpost_api::Error::Closed) => {
            Reply::new(451, Enhanced(4, 3, 2), "Shutting down, try again soon")
        }
        Error::Log(LogError::Io(_) | LogError::Damaged | LogError::Moved) | Error::Store(_) => {
            TROUBLE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_api::Error as StoreError;

    /// Whatever goes wrong here is temporary for the peer; only the mail itself can be too large.
    #[test]
    fn what_went_wrong_and_what_is_said() {
        let cases: &[(Error, u16, Enhanced)] = &[
            (Error::Memory, 452, Enhanced(4, 3, 1)),
            (Error::Lag, 452, Enhanced(4, 3, 1)),
            (Error::Log(LogError::Full), 452, Enhanced(4, 3, 1)),
            (Error::Log(LogError::Io(5)), 451, Enhanced(4, 3, 0)),
            (Error::Log(LogError::Damaged), 451, Enhanced(4, 3, 0)),
            (Error::Log(LogError::Closed), 451, Enhanced(4, 3, 2)),
            (Error::Log(LogError::TooLarge), 552, Enhanced(5, 3, 4)),
            (Error::Store(StoreError::Full), 452, Enhanced(4, 3, 1)),
            (Error::Store(StoreError::Closed), 451, Enhanced(4, 3, 2)),
            (
                Error::Store(StoreError::Io(String::new())),
                451,
                Enhanced(4, 3, 0),
            ),
        ];
        for (error, code, enhanced) in cases {
            let reply = of_delivery(error);
            assert_eq!(
                (reply.code, reply.enhanced),
                (*code, Some(*enhanced)),
                "{error:?}"
            );
        }
    }
}
