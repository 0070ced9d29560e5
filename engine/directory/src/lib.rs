//! Domains, accounts, aliases, credentials.
