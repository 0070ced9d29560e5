//! IMAP service: one command per file.
