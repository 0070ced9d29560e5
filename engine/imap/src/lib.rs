//! IMAP grammar and response writer; no socket, no store.
