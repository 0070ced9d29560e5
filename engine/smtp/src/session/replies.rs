//! Replies on their way out: one for each command, in order; and the last one. RFC 5321 §4.2, §4.3.1.
//!
//! Invariant: after a reply of 421 or 521 nothing is read: the phase is Ended.

use super::{Action, Phase, Session, Transaction};
use crate::reply;
use ringpost_types::Reply;

/// The service closes its channel. RFC 5321 §4.2.3.
const LAST: u16 = 421;

impl Session {
    /// Queues a reply and takes it at once.
    pub(super) fn say<'i>(&mut self, reply: Reply) -> Action<'i> {
        self.queue(reply);
        self.next_reply().map_or(Action::More, Action::Reply)
    }

    /// The same for a refusal that only follows from another one.
    pub(super) fn say_uncounted<'i>(&mut self, reply: Reply) -> Action<'i> {
        self.queued = Some(reply);
        self.next_reply().map_or(Action::More, Action::Reply)
    }

    /// Ends the transaction, if there is one, and says `reply`.
    pub(super) fn reset<'i>(&mut self, reply: Reply) -> Action<'i> {
        if !self.transaction.open {
            return self.say(reply);
        }
        self.transaction = Transaction::default();
        self.queue(reply);
        Action::Reset
    }

    /// Says a last reply.
    pub(super) fn say_last<'i>(&mut self, reply: Reply) -> Action<'i> {
        self.end(reply);
        self.next_reply().map_or(Action::Close, Action::Reply)
    }

    /// Queues a reply, unless it was one refusal too many.
    ///
    /// Permanent refusals count: after smtp_errors_max of them the next one ends the session. Temporary ones are our
    /// own weather, and a sender that meets smtp_recipients_max goes on with the recipients it has. RFC 5321 §4.5.3.1.10.
    /// It may be refused as often as others bring mails, and say as much as others say for nothing: a list of 10,000 gets
    /// its answers, and a session does not live for ever.
    pub(super) fn queue(&mut self, reply: Reply) {
        debug_assert!(self.queued.is_none(), "one reply at a time");
        let limits = &self.options.limits;
        let spent = match reply.code {
            LAST => return self.end(reply),
            400..500 => {
                self.deferrals += 1;
                self.deferrals > limits.smtp_transactions_max + limits.smtp_idle_commands_max
            }
            500.. => {
                self.errors += 1;
                self.errors > limits.smtp_errors_max
            }
            _ => false,
        };
        if spent {
            return self.end(reply::TOO_MANY_ERRORS);
        }
        self.queued = Some(reply);
    }

    /// Queues the outcomes of a mail: the first one, and the others with the last one in front. Where it was delivered to
    /// somebody all of them go out, for a client that does not hear that sends it again; the next error ends the session
    /// then.
    pub(super) fn queue_outcomes(&mut self, first: Reply, more: Vec<Reply>) {
        let delivered = first.is_positive() || more.iter().any(Reply::is_positive);
        let spent = self.errors >= self.options.limits.smtp_errors_max;
        if more.is_empty() || !delivered && spent {
            return self.queue(first);
        }
        let refused = first.code >= 500 || more.iter().any(|outcome| outcome.code >= 500);
        self.errors += u64::from(refused);
        self.queued = Some(first);
        self.queued_more = more;
    }

    /// Queues a last reply.
    pub(super) fn end(&mut self, reply: Reply) {
        self.queued = Some(reply);
        self.queued_more.clear();
        self.phase = Phase::Ended;
    }

    /// The next reply to write.
    pub(super) fn next_reply(&mut self) -> Option<Reply> {
        let reply = self.queued.take()?;
        if !self.queued_more.is_empty() {
            self.queued = self.queued_more.pop();
        }
        self.transcript.reply(&reply);
        Some(reply)
    }

    /// Counts a command that brings no mail nearer; the last reply, if it was one too many.
    pub(super) fn count_idle(&mut self) -> Option<Reply> {
        self.idle_commands += 1;
        let too_many = self.idle_commands > self.options.limits.smtp_idle_commands_max;
        too_many.then_some(reply::TOO_MANY_IDLE_COMMANDS)
    }
}
