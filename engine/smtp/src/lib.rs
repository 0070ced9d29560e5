//! SMTP and LMTP grammar and state machines; no socket.
