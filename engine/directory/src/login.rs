//! Who has logged in. How that comes about is the duty of crate `login`.

use ringpost_types::AccountId;

/// Who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub account: AccountId,
    /// Its primary address.
    pub name: String,
}
