//! RFC 5322 and MIME, borrowed from the octets.
