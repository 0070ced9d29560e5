//! Who looks at a mail while it arrives: one list, one small interface, a file for each.
//!
//! In:  after each run of octets, what of the mail is in memory and what the scanner makes of it. The scanner goes first:
//!      where header and parts are is for all the others to know.
//! Out: [`Findings`], one from each reader.
//!
//! A new reader is a file in this folder, with a type that is a [`Reader`], and a line in the list below. The list is
//! no list at run time: readers are fields of one struct, nothing is allocated for it and nothing called by pointer.

pub(crate) mod hashing;
pub mod text;

use crate::buffer::Buffer;
use ringpost_message::Scanner;
use ringpost_types::limit::Limits;

/// What a reader may know before the first octet.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances {
    /// A client's own copy, as APPEND brings it: nobody asks who sent it.
    pub own_copy: bool,
}

/// A mail of which more has come.
#[derive(Clone, Copy)]
pub(crate) struct Arriving<'m> {
    /// Where its header and its parts are, up to the last octet.
    pub scanner: &'m Scanner,
    /// What of it is in memory.
    pub buffer: &'m Buffer,
}

/// A mail that is complete.
#[derive(Clone, Copy)]
pub(crate) struct Complete<'m> {
    /// What the scanner made of it.
    pub digest: &'m [u8],
    /// All of it; `None`: some has left memory.
    pub octets: Option<&'m [u8]>,
    /// Bounds in force.
    pub limits: &'m Limits,
}

/// One that looks at a mail while it arrives.
pub(crate) trait Reader {
    /// What it makes of a mail.
    type Finding;

    /// Before the first octet.
    fn begin(circumstances: Circumstances) -> Self;

    /// More has come, and is in cache. How the mail was cut into runs must not show.
    fn read(&mut self, _: Arriving<'_>) {}

    /// What lies before this place of the mail is needed no more.
    fn keep_from(&self) -> usize {
        usize::MAX
    }

    /// The mail is complete.
    fn finish(self, mail: Complete<'_>) -> Self::Finding;
}

macro_rules! readers {
    ($($(#[$what:meta])* $name:ident: $reader:ty,)*) => {
        /// All of them, for one mail.
        pub(crate) struct Readers {
            $($name: $reader,)*
        }

        /// What they made of it.
        pub(crate) struct Findings {
            $($(#[$what])* pub $name: <$reader as Reader>::Finding,)*
        }

        impl Readers {
            /// See [`Reader::begin`].
            pub fn begin(circumstances: Circumstances) -> Self {
                Readers { $($name: Reader::begin(circumstances),)* }
            }

            /// See [`Reader::read`].
            pub fn read(&mut self, mail: Arriving<'_>) {
                $(self.$name.read(mail);)*
            }

            /// What lies before this place of the mail nobody needs any more.
            pub fn keep_from(&self) -> usize {
                usize::MAX$(.min(self.$name.keep_from()))*
            }

            /// See [`Reader::finish`].
            pub fn finish(self, mail: Complete<'_>) -> Findings {
                Findings { $($name: self.$name.finish(mail),)* }
            }
        }
    };
}

readers! {
    /// What came of the body hash of each DKIM-Signature.
    signatures: hashing::Hashing,
    /// What SEARCH looks through.
    text: text::Searchable,
}
