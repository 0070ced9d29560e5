//! What is wrong with a mail: data, not an error. Collected by the scanner, kept in the digest.

use std::fmt;

macro_rules! faults {
    ($($name:ident = $bit:literal, $text:literal;)*) => {
        /// A set of faults, one bit each.
        #[derive(Clone, Copy, Default, PartialEq, Eq)]
        pub struct Faults(pub u32);

        #[allow(missing_docs)]
        impl Faults {
            $(#[doc = $text] pub const $name: Faults = Faults(1 << $bit);)*

            /// Every fault with its name in traces.
            pub const TABLE: &[(Faults, &str)] = &[$((Faults::$name, $text)),*];
        }
    };
}

faults! {
    NUL = 0, "a NUL octet in a header";
    BARE_LF = 1, "a line that ends in LF alone";
    NO_SEPARATOR = 2, "no empty line between header and body";
    BAD_FIELD = 3, "a header line that is no field";
    FIELDS_LIMIT = 4, "more header fields than are told apart";
    PARTS_LIMIT = 5, "more parts than are told apart";
    DEPTH_LIMIT = 6, "parts nested deeper than is told apart";
    NO_BOUNDARY = 7, "a multipart without a usable boundary";
    NO_PARTS = 8, "a multipart whose boundary never comes";
    UNCLOSED = 9, "a multipart without its closing boundary";
    BAD_TYPE = 10, "a Content-Type that cannot be read";
    ENCODED_MESSAGE = 11, "a message part under a transfer encoding";
    DIGEST_LIMIT = 12, "header values left out of the digest for their size";
    NO_HEADER = 13, "no header at all";
    EIGHT_BIT_HEADER = 14, "octets above 127 in a header";
    HEADER_LIMIT = 15, "a header longer than is read";
}

impl Faults {
    /// Adds those of `other`.
    pub fn add(&mut self, other: Faults) {
        self.0 |= other.0;
    }

    /// Whether all of `other` are in the set.
    pub fn has(self, other: Faults) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (fault, text) in Faults::TABLE {
            if self.has(*fault) {
                write!(f, "{separator}{text}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faults({self})")
    }
}
