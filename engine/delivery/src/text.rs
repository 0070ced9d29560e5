//! The mail's row in table text, made while its octets are still in cache.
//!
//! In:  the digest, and the whole mail.
//! Out: the row; empty where the mail has more text than limit message_text_octets_max: then a search reads the mail.

use ringpost_api::text;
use ringpost_message::{Digest, searchable};
use ringpost_types::limit::Limits;

/// See the head of this file. A mail that was streamed has left memory, and has no row either.
pub fn row(digest: &[u8], octets: &[u8], limits: &Limits) -> Vec<u8> {
    let octets_max = usize::try_from(limits.message_text_octets_max).unwrap_or(usize::MAX);
    let digest = Digest::read(digest).ok();
    let searchable = digest.and_then(|digest| searchable::of(&digest, octets, octets_max));
    searchable.map_or_else(Vec::new, |found| {
        text::encode(&found.keys, &found.text, found.inner, found.body)
    })
}
