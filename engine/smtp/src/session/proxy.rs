//! XCLIENT: a proxy says whom it speaks for, and the session starts anew for that client. Postfix's XCLIENT_README.
//!
//! | | answer |
//! |---|---|
//! | the peer may not | 550 5.7.0 |
//! | within a transaction | 503 5.5.1 |
//! | unreadable | 501 5.5.4 |
//! | the service refuses the client | as it says |
//! | taken | 220, the greeting; then as after a connection, what XCLIENT said excepted |

use super::{Action, Question, Session};
use crate::client::{self, Attribute, Client};
use crate::reply;
use ringpost_types::Reply;

/// What outlives the new beginning, of all XCLIENT commands so far.
#[derive(Debug, Default)]
pub(super) struct Proxied {
    helo: Option<Box<str>>,
    extended: bool,
    logged_in: bool,
}

impl Session {
    pub(super) fn xclient<'i>(&mut self, attributes: &[u8]) -> Action<'i> {
        if !self.options.xclient {
            return self.say(reply::XCLIENT_DENIED);
        }
        if self.transaction.open {
            return self.say(reply::XCLIENT_OUT_OF_PLACE);
        }
        let Ok(client) = client::parse(attributes) else {
            return self.say(reply::BAD_CLIENT);
        };
        self.remember(&client);
        self.ask(Question::Client, Action::Client(Box::new(client)))
    }

    /// Keeps what the new session begins with; a refused client loses nothing by it, for its session does not go on.
    fn remember(&mut self, client: &Client) {
        let proxied = self.proxied.get_or_insert_default();
        match &client.helo {
            Attribute::Unsaid => {}
            helo => proxied.helo = helo.value().cloned(),
        }
        match &client.extended {
            Attribute::Unsaid => {}
            extended => proxied.extended = extended.value().copied().unwrap_or(false),
        }
        match &client.login {
            Attribute::Unsaid => {}
            login => proxied.logged_in = login.value().is_some(),
        }
    }

    /// A client that is refused is told so and gone: the proxy has no other to speak for on this connection.
    pub(super) fn settle_client(&mut self, answer: Result<(), Reply>) {
        if let Err(refusal) = answer {
            return self.end(refusal);
        }
        let proxied = self.proxied.get_or_insert_default();
        self.helo = proxied.helo.clone();
        self.extended = proxied.extended;
        self.authenticated = proxied.logged_in;
        let welcome = self.welcome();
        self.queue(welcome);
    }
}
