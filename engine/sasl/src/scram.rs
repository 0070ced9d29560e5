//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: both sides show that they know the password, and neither shows it.
//! RFC 5802, RFC 7677; channel bindings `tls-server-end-point` (RFC 5929) and `tls-exporter` (RFC 9266).
//!
//! ```text
//! client first   n,,n=user,r=abc              -> the keys of user are asked for
//! server first   r=abcXYZ,s=SALT,i=65536
//! client final   c=biws,r=abcXYZ,p=PROOF      -> checked here
//! server final   v=SIGNATURE                  -> an empty response ends it
//! ```
//!
//! Invariants: a client that could have bound to the channel, and was led to think that we could not, is refused:
//! somebody stands between. RFC 5802 §6. The final message's `c` must be the octets of the first one's header and
//! of the channel. A name that nobody has goes the same way with keys of nobody; the proof fails at its end.
//!
//! No `e=` is sent: a failure is told by the protocol's own reply, at once, as RFC 4422 §3.6 lets it be; most clients know no
//! other, and `unknown-user` must not be said at all. RFC 5802 §7.

pub mod keys;

pub use keys::Keys;

use crate::exchange::Refusal;
use crate::{Mechanism, prep};
use data_encoding::BASE64;
use std::fmt::Write;

/// Characters of a client's nonce at most; they are sent back to it twice.
pub const NONCE_OCTETS_MAX: usize = 256;

/// What of the TLS session a client may bind to. Empty in clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// RFC 9266 §2.
    pub exporter: Option<[u8; 32]>,
    /// Hash of our certificate. RFC 5929 §4.1.
    pub end_point: Option<Box<[u8]>>,
}

impl Binding {
    /// Whether there is anything to bind to.
    pub fn is_possible(&self) -> bool {
        self.exporter.is_some() || self.end_point.is_some()
    }

    fn data(&self, kind: &str) -> Option<&[u8]> {
        match kind {
            "tls-exporter" => self.exporter.as_ref().map(|octets| &octets[..]),
            "tls-server-end-point" => self.end_point.as_deref(),
            _ => None,
        }
    }
}

/// What the client's first message said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct First {
    /// Prepared.
    pub identity: String,
    /// The `c` that the final message must have, base64.
    bound: String,
    /// `client-first-message-bare`.
    bare: String,
    nonce: String,
}

/// What the client's final message is checked against.
#[derive(Debug)]
pub(crate) struct Pending {
    bound: String,
    /// Client's and server's, one behind the other.
    nonce: String,
    /// AuthMessage as far as it goes: `client-first-message-bare "," server-first-message`.
    message: String,
    keys: Keys,
}

/// Reads the client's first message. RFC 5802 §7:
///
/// ```abnf
/// client-first-message      = gs2-header client-first-message-bare
/// gs2-header                = gs2-cbind-flag "," [ authzid ] ","
/// gs2-cbind-flag            = ("p=" cb-name) / "n" / "y"
/// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
/// ```
///
/// `plus`: whether SCRAM-SHA-256-PLUS is offered.
pub(crate) fn first(
    mechanism: Mechanism,
    octets: &[u8],
    binding: &Binding,
    plus: bool,
) -> Result<First, Refusal> {
    let text = std::str::from_utf8(octets).map_err(|_| Refusal::Malformed)?;
    let mut parts = text.splitn(3, ',');
    let (Some(flag), Some(acts_for), Some(bare)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Malformed);
    };
    let header = &text[..text.len() - bare.len()];
    let mut bound = header.as_bytes().to_vec();
    match (mechanism == Mechanism::ScramSha256Plus, flag) {
        (true, flag) => {
            let kind = flag.strip_prefix("p=").ok_or(Refusal::Binding)?;
            bound.extend_from_slice(binding.data(kind).ok_or(Refusal::Binding)?);
        }
        (false, "n") => {}
        (false, "y") if !plus => {}
        (false, "y") => return Err(Refusal::Binding),
        (false, flag) if flag.starts_with("p=") => return Err(Refusal::Binding),
        (false, _) => return Err(Refusal::Malformed),
    }
    let acts_for = match acts_for {
        "" => String::new(),
        name => name
            .strip_prefix("a=")
            .and_then(saslname)
            .ok_or(Refusal::Malformed)?,
    };
    let mut attributes = bare.split(',');
    // `m=` is a mandatory extension, and we know none: it is no user name. RFC 5802 §5.1.
    let identity = attributes.next().and_then(|field| field.strip_prefix("n="));
    let identity = identity.and_then(saslname).ok_or(Refusal::Malformed)?;
    let nonce = attributes.next().and_then(|field| field.strip_prefix("r="));
    let nonce = nonce.filter(|nonce| is_nonce(nonce));
    let nonce = nonce.ok_or(Refusal::Malformed)?;
    if !attributes.all(is_extension) {
        return Err(Refusal::Malformed);
    }
    Ok(First {
        identity: crate::plain::self_alone(&acts_for, &identity)?,
        bound: BASE64.encode(&bound),
        bare: bare.to_owned(),
        nonce: nonce.to_owned(),
    })
}

/// The server's first message, and what the answer to it will be checked against. RFC 5802 §7:
///
/// ```abnf
/// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count
/// ```
pub(crate) fn challenge(first: First, nonce: &str, keys: Keys) -> (Vec<u8>, Pending) {
    debug_assert!(is_nonce(nonce), "our nonce is printable and has no comma");
    let nonce = first.nonce + nonce;
    let salt = BASE64.encode(&keys.salt);
    let mut message = first.bare;
    message.push(',');
    let said = message.len();
    // Writing to a String cannot fail.
    let _ = write!(message, "r={nonce},s={salt},i={}", keys.iterations);
    let challenge = message.as_bytes()[said..].to_vec();
    let pending = Pending {
        bound: first.bound,
        nonce,
        message,
        keys,
    };
    (challenge, pending)
}

impl Pending {
    /// Checks the client's final message; the server's final message. RFC 5802 §7:
    ///
    /// ```abnf
    /// client-final-message = channel-binding "," nonce ["," extensions] "," proof
    /// server-final-message = server-error / verifier
    /// ```
    pub(crate) fn finish(self, octets: &[u8]) -> Result<Vec<u8>, Refusal> {
        let text = std::str::from_utf8(octets).map_err(|_| Refusal::Malformed)?;
        let (unproved, proof) = text.rsplit_once(",p=").ok_or(Refusal::Malformed)?;
        let proof = BASE64.decode(proof.as_bytes()).ok();
        let proof: [u8; 32] = proof
            .and_then(|octets| octets.try_into().ok())
            .ok_or(Refusal::Malformed)?;
        let mut attributes = unproved.split(',');
        let bound = attributes.next().and_then(|field| field.strip_prefix("c="));
        let nonce = attributes.next().and_then(|field| field.strip_prefix("r="));
        let (Some(bound), Some(nonce)) = (bound, nonce) else {
            return Err(Refusal::Malformed);
        };
        if !attributes.all(is_extension) {
            return Err(Refusal::Malformed);
        }
        if bound != self.bound {
            return Err(Refusal::Binding);
        }
        if nonce != self.nonce {
            return Err(Refusal::Malformed);
        }
        let message = [self.message.as_bytes(), b",", unproved.as_bytes()].concat();
        match self.keys.fits(&proof, &message) {
            true => Ok(format!("v={}", BASE64.encode(&self.keys.signature(&message))).into()),
            false => Err(Refusal::Credentials),
        }
    }
}

/// A name with its `=2C` and `=3D` undone. RFC 5802 §7:
///
/// ```abnf
/// saslname = 1*(value-safe-char / "=2C" / "=3D")
/// ```
pub(crate) fn saslname(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut pieces = text.split('=');
    name.push_str(pieces.next()?);
    for piece in pieces {
        let (octet, rest) = match piece.as_bytes() {
            [b'2', b'C', ..] => (',', &piece[2..]),
            [b'3', b'D', ..] => ('=', &piece[2..]),
            _ => return None,
        };
        name.push(octet);
        name.push_str(rest);
    }
    let fits = !name.is_empty() && name.len() <= prep::NAME_OCTETS_MAX && !name.contains('\0');
    fits.then_some(name)
}

/// printable = %x21-2B / %x2D-7E. RFC 5802 §7.
fn is_nonce(text: &str) -> bool {
    let printable = |octet: u8| matches!(octet, 0x21..=0x2b | 0x2d..=0x7e);
    (1..=NONCE_OCTETS_MAX).contains(&text.len()) && text.bytes().all(printable)
}

/// attr-val = ALPHA "=" value: an extension, which we may pass over. RFC 5802 §7. Not an attribute that SCRAM has: a
/// second name or nonce means two things to two readers, and `m`, a mandatory extension, fails wherever it stands. §5.1.
fn is_extension(text: &str) -> bool {
    let is_free = |name: &u8| name.is_ascii_alphabetic() && !b"aceimnprsv".contains(name);
    matches!(text.as_bytes(), [name, b'=', _, ..] if is_free(name)) && !text.contains('\0')
}

#[cfg(test)]
mod tests;
