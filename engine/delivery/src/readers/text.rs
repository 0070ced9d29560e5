//! The mail's row in table text, made while its octets are still in cache.
//!
//! In:  the digest, and the whole mail.
//! Out: the row; empty where the mail has more text than limit message_text_octets_max: then a search reads the mail.

use super::{Circumstances, Complete, Reader};
use ringpost_api::text;
use ringpost_message::{Digest, searchable};
use ringpost_types::limit::Limits;

/// See the head of this file.
pub fn row(digest: &[u8], octets: &[u8], limits: &Limits) -> Vec<u8> {
    let octets_max = usize::try_from(limits.message_text_octets_max).unwrap_or(usize::MAX);
    let digest = Digest::read(digest).ok();
    let searchable = digest.and_then(|digest| searchable::of(&digest, octets, octets_max));
    searchable.map_or_else(Vec::new, |found| {
        text::encode(&found.keys, &found.text, found.inner, found.body)
    })
}

/// Makes the row when the mail is complete: parts are decoded whole. A mail that was streamed has left memory, and has none.
pub(crate) struct Searchable;

impl Reader for Searchable {
    type Finding = Vec<u8>;

    fn begin(_: Circumstances) -> Self {
        Searchable
    }

    fn finish(self, mail: Complete<'_>) -> Vec<u8> {
        let row = |octets| row(mail.digest, octets, mail.limits);
        mail.octets.map_or_else(Vec::new, row)
    }
}
