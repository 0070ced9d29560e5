//! SMTP, submission and LMTP service.
