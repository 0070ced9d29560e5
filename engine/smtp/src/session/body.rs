//! The body of a mail, by DATA or by BDAT: runs out, its size and its line ends watched. RFC 5321 §4.1.1.4, RFC 3030.

use super::{Action, Chunk, Phase, Question, Session, Transaction, repeated};
use crate::command::Command;
use crate::dot::{Step, Undot};
use crate::envelope::Body;
use crate::reply;
use ringpost_types::Reply;

/// A refused mail is read to its end, for a client that writes does not listen: up to so many times the largest mail.
const DISCARDED_TIMES: u64 = 4;
/// And up to this at least, in octets.
const DISCARDED_OCTETS: u64 = 64 * 1024;

impl Session {
    /// Refuses a command; if it announced a chunk, that is swallowed first.
    pub(super) fn refuse<'i>(&mut self, command: Command<'_>, refusal: Reply) -> Action<'i> {
        match command {
            Command::Bdat { octets, last } => self.swallow(
                Chunk {
                    octets_left: octets,
                    last,
                },
                refusal,
            ),
            _ => self.say(refusal),
        }
    }

    /// RFC 3030 §2: `BDAT` brings its octets with it, wanted or not. `More` here: they stand behind the command.
    pub(super) fn bdat<'i>(&mut self, chunk: Chunk) -> Action<'i> {
        if let Some(refusal) = self.refusal_of_body() {
            return self.swallow(chunk, refusal);
        }
        let first = !self.transaction.chunking;
        self.transaction.chunking = true;
        let octets = self.transaction.octets.saturating_add(chunk.octets_left);
        if octets > self.options.limits.message_octets_max {
            return match self.swallow(chunk, reply::TOO_LARGE) {
                Action::More => Action::Abandon,
                last => last,
            };
        }
        if first {
            let announced = chunk.last.then_some(chunk.octets_left);
            let size = announced.or(self.transaction.size);
            return self.ask(Question::Chunk(chunk), Action::Begin { size });
        }
        self.phase = Phase::Chunk(chunk);
        Action::More
    }

    /// Takes a chunk's octets for nothing; the refusal comes at their end. Of one that is too large for that nobody waits
    /// for the end.
    fn swallow<'i>(&mut self, chunk: Chunk, refusal: Reply) -> Action<'i> {
        if chunk.octets_left > self.discarded_octets_max() {
            return self.say_last(reply::TOO_LARGE);
        }
        self.transaction.refusal = Some(refusal);
        self.phase = Phase::Chunk(chunk);
        Action::More
    }

    fn discarded_octets_max(&self) -> u64 {
        let message_octets_max = self.options.limits.message_octets_max;
        message_octets_max
            .saturating_mul(DISCARDED_TIMES)
            .max(DISCARDED_OCTETS)
    }

    /// Octets of a chunk.
    pub(super) fn chunk<'i>(&mut self, mut chunk: Chunk, input: &'i [u8]) -> (usize, Action<'i>) {
        let used = input
            .len()
            .min(usize::try_from(chunk.octets_left).unwrap_or(usize::MAX));
        chunk.octets_left -= used as u64;
        self.phase = Phase::Chunk(chunk);
        let run = &input[..used];
        if used > 0 && self.transaction.refusal.is_none() {
            self.transaction.line_ends.feed(run);
            let bare = self.transaction.line_ends.bare();
            return (used, self.body(run, bare));
        }
        if chunk.octets_left > 0 {
            return (used, Action::More);
        }
        (used, self.end_chunk(chunk.last))
    }

    fn end_chunk<'i>(&mut self, last: bool) -> Action<'i> {
        if last && self.transaction.open && self.is_broken_at_end() {
            self.transaction.refusal.get_or_insert(reply::BARE_LINE_END);
        }
        match self.transaction.refusal.take() {
            None if last => {
                self.phase = Phase::Deliver;
                Action::Deliver
            }
            None => {
                self.phase = Phase::Command;
                self.say(reply::CHUNK_TAKEN)
            }
            Some(refusal) if self.chunk_refused && !self.transaction.open => {
                self.phase = Phase::Command;
                self.chunk_refused = !last;
                self.say_uncounted(refusal)
            }
            // One answer to a chunk in the middle: RFC 2033 §4.2 speaks of the final one.
            Some(refusal) if !last => {
                self.phase = Phase::Command;
                self.chunk_refused = self.transaction.open;
                self.reset(refusal)
            }
            Some(refusal) => self.end_refused(refusal),
        }
    }

    /// Whether a mail that came in chunks has line ends that it must not have, now that it is whole.
    fn is_broken_at_end(&self) -> bool {
        let transaction = &self.transaction;
        let nuls = transaction.body != Body::Binary && transaction.nul_lines.finish();
        nuls || transaction.line_ends.finish() > 0
    }

    /// Octets of DATA.
    pub(super) fn data<'i>(&mut self, mut undot: Undot, input: &'i [u8]) -> (usize, Action<'i>) {
        let mut rest = input;
        loop {
            let (step, left) = undot.step(rest);
            rest = left;
            self.phase = Phase::Data(undot);
            let action = match step {
                Step::More => Action::More,
                Step::Run(run) if self.transaction.refusal.is_some() => {
                    self.unwelcome(run);
                    if self.transaction.octets > self.discarded_octets_max() {
                        return (input.len(), self.say_last(reply::TOO_LARGE));
                    }
                    continue;
                }
                Step::Run(run) => self.body(run, undot.bare),
                Step::End => self.end_data(),
            };
            return (input.len() - rest.len(), action);
        }
    }

    fn end_data<'i>(&mut self) -> Action<'i> {
        self.transcript.mail(self.transaction.octets);
        match self.transaction.refusal.take() {
            None => {
                self.phase = Phase::Deliver;
                Action::Deliver
            }
            Some(refusal) => self.end_refused(refusal),
        }
    }

    /// A run of the mail, unless this is where it becomes unwelcome. Of a mail with both faults the size is told,
    /// whichever was seen first: that depends on how the octets were cut.
    fn body<'i>(&mut self, run: &'i [u8], bare: u32) -> Action<'i> {
        let transaction = &mut self.transaction;
        if transaction.body != Body::Binary {
            transaction.nul_lines.feed(run);
        }
        let broken = bare > 0 || transaction.nul_lines.found();
        let refusal = if self.is_over(run) {
            reply::TOO_LARGE
        } else if broken {
            reply::BARE_LINE_END
        } else {
            return Action::Body(run);
        };
        self.transaction.refusal = Some(refusal);
        Action::Abandon
    }

    /// A run of a mail that is refused already.
    fn unwelcome(&mut self, run: &[u8]) {
        if self.is_over(run) && self.transaction.refusal == Some(reply::BARE_LINE_END) {
            self.transaction.refusal = Some(reply::TOO_LARGE);
        }
    }

    /// Counts a run; whether the mail is over its limit with it. RFC 1870 §6.3.
    fn is_over(&mut self, run: &[u8]) -> bool {
        let octets = self.transaction.octets.saturating_add(run.len() as u64);
        self.transaction.octets = octets;
        octets > self.options.limits.message_octets_max
    }

    /// The end of a body that is refused.
    fn end_refused<'i>(&mut self, refusal: Reply) -> Action<'i> {
        let begun = self.transaction.open;
        let more = repeated(&refusal, self.outcomes() - 1);
        self.end_body(refusal, more);
        if begun {
            return Action::Reset;
        }
        self.next_reply().map_or(Action::More, Action::Reply)
    }

    /// Answers the body and closes the transaction.
    pub(super) fn end_body(&mut self, first: Reply, more: Vec<Reply>) {
        self.transaction = Transaction::default();
        self.phase = Phase::Command;
        self.queue_outcomes(first, more);
    }
}
