//! LOGIN: a name and a password, each asked for. draft-murchison-sasl-login-00, obsolete and still spoken.
//!
//! The draft's challenges are `User Name` and `Password`; what clients have learned to wait for, Outlook above all,
//! is this. An initial response is the name.

/// Asks for the name.
pub const NAME: &[u8] = b"Username:";
/// Asks for the password.
pub const PASSWORD: &[u8] = b"Password:";
