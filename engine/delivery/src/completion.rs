//! What a user's program left out of a mail and the server adds. RFC 6409 §8.2, §8.3.

use crate::trace;
use ringpost_types::TraceId;

/// What completes a user's mail.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Our name.
    pub hostname: String,
    /// The mail's trace id: unique, so a Message-ID is made of it.
    pub id: TraceId,
    /// Now, in seconds since 1970 UTC.
    pub unix: u64,
}

impl Completion {
    /// The fields that a mail lacks.
    pub(crate) fn fields(&self, has_date: bool, has_message_id: bool) -> Vec<u8> {
        let mut fields = Vec::new();
        if !has_date {
            trace::write_date(self.unix, &mut fields);
        }
        if !has_message_id {
            trace::write_message_id(self.id, &self.hostname, &mut fields);
        }
        fields
    }
}
