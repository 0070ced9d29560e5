//! Whose a bearer token is: asked by logins on the shards, answered on the control plane. RFC 7662, RFC 7519, RFC 7517.
//!
//! ```text
//! shard: Tokens::ask ── bounded queue ──> run (control plane) ── at most ASKED_MAX at once ──> introspect | jwks
//!        Answer <──────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! In:  `[auth.oauth]`. Out: [`Asker`] for the shards and [`run`] for the control plane.
//!
//! Reading order: [`http`] (one HTTPS request), [`introspect`] (the server that made the token is asked), [`jwks`] (the token
//! is signed, and the keys are fetched now and then).
//!
//! Invariants: a token is sent to the configured host alone, over TLS that was checked; it is never told to anybody else,
//! in no event and in no error. When the queue is full or time is over, the login is refused for now.

pub mod http;
pub mod introspect;
pub mod jwks;

use crate::cli::exit::Failure;
use crate::config::Config;
use crate::config::section::auth::{Oauth, Source};
use http::{Client, HttpError};
use introspect::Introspection;
use jwks::Jwks;
use ringpost_login::{Answer, Holder, TokenError, Tokens};
use ringpost_sasl::Secret;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// Tokens asked about at once.
const ASKED_MAX: usize = 32;

/// The shards' side.
pub struct Asker(mpsc::Sender<(Secret, Answer)>);

impl Tokens for Asker {
    fn ask(&self, token: Secret, answer: Answer) {
        // A full queue drops the answer, and that is one: not now.
        let _ = self.0.try_send((token, answer));
    }
}

/// The control plane's side, before it runs.
pub struct Desk {
    questions: mpsc::Receiver<(Secret, Answer)>,
    verifier: Verifier,
    patience: Duration,
}

enum Verifier {
    Introspection(Introspection),
    Jwks(Jwks),
}

/// The shards' side, and the control plane's.
pub type Sides = (Arc<dyn Tokens>, Desk);

/// Both sides, where tokens are to be taken. Reads the files that the configuration names.
pub fn open(config: &Config) -> Result<Option<Sides>, Failure> {
    let Some(oauth) = &config.auth.oauth else {
        return Ok(None);
    };
    let limits = &config.limits;
    let patience = Duration::from_millis(limits.login_token_ms);
    let verifier = verifier(oauth, patience);
    let verifier = verifier.map_err(|error| Failure::not_well(format!("[auth.oauth]: {error}")))?;
    let waiting_max = usize::try_from(limits.login_tokens_max).unwrap_or(usize::MAX);
    let (sender, questions) = mpsc::channel(waiting_max.clamp(1, Semaphore::MAX_PERMITS));
    let desk = Desk {
        questions,
        verifier,
        patience,
    };
    Ok(Some((Arc::new(Asker(sender)), desk)))
}

fn verifier(oauth: &Oauth, patience: Duration) -> Result<Verifier, HttpError> {
    let client = Client::new(oauth.ca.as_deref())?;
    Ok(match &oauth.source {
        Source::Introspection { url, client: id } => {
            Verifier::Introspection(Introspection::new(client, url, id.as_ref(), oauth)?)
        }
        Source::Jwks { url } => Verifier::Jwks(Jwks::new(client, url, oauth, patience)?),
    })
}

/// Answers for as long as it is polled.
pub async fn run(mut desk: Desk) {
    let (verifier, patience) = (Rc::new(desk.verifier), desk.patience);
    let places = Arc::new(Semaphore::new(ASKED_MAX));
    while let Some((token, answer)) = desk.questions.recv().await {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let verifier = verifier.clone();
        tokio::task::spawn_local(async move {
            let told = tokio::time::timeout(patience, verifier.holder(&token)).await;
            let told = told.unwrap_or_else(|_| Err(unavailable(&HttpError::Late)));
            answer.give(told);
            drop(place);
        });
    }
}

impl Verifier {
    async fn holder(&self, token: &Secret) -> Result<Holder, TokenError> {
        // The mechanisms let ASCII alone through.
        let text = std::str::from_utf8(token.expose()).map_err(|_| TokenError::Invalid)?;
        match self {
            Verifier::Introspection(introspection) => introspection.holder(text).await,
            Verifier::Jwks(jwks) => jwks.holder(text).await,
        }
    }
}

/// What went wrong is the operator's to read.
fn unavailable(error: &HttpError) -> TokenError {
    crate::cli::tell(&format!("oauth: {error}"));
    TokenError::Unavailable
}

/// Whether a claim of scopes has the one that is wanted. RFC 6749 §3.3: words, separated by spaces.
fn has_scope(claim: &serde_json::Value, wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return true };
    match claim {
        serde_json::Value::String(words) => words.split(' ').any(|word| word == wanted),
        serde_json::Value::Array(words) => words.iter().any(|word| word == wanted),
        _ => false,
    }
}

/// Whether a claim of audiences has ours. RFC 7519 §4.1.3: one, or a list.
fn has_audience(claim: &serde_json::Value, wanted: &str) -> bool {
    match claim {
        serde_json::Value::String(one) => one == wanted,
        serde_json::Value::Array(some) => some.iter().any(|one| one == wanted),
        _ => false,
    }
}

/// Whether the claim that names the account may be believed: where users write their own address and nobody has asked
/// at it, anybody may claim anybody's. OpenID Connect Core §5.7, §5.1.
fn is_verified(claims: &serde_json::Value, claim: &str) -> bool {
    let verified = &claims["email_verified"];
    claim != "email" || (*verified != false && verified != "false")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_that_nobody_has_verified() {
        let cases = [
            (json!(true), true),
            (json!("true"), true),
            (json!(null), true),
            (json!(false), false),
            (json!("false"), false),
        ];
        for (said, expected) in cases {
            let claims = json!({"email": "a@example.org", "email_verified": said});
            assert_eq!(is_verified(&claims, "email"), expected, "{claims}");
            assert!(is_verified(&claims, "upn"), "{claims}");
        }
        assert!(is_verified(&json!({"email": "a@example.org"}), "email"));
    }

    #[test]
    fn scopes_and_audiences() {
        let cases = [
            (json!("openid mail"), true, false),
            (json!("mail"), true, true),
            (json!(["openid", "mail"]), true, true),
            (json!("email"), false, false),
            (json!(["email"]), false, false),
            (json!(null), false, false),
            (json!(7), false, false),
        ];
        for (claim, scope, audience) in cases {
            assert_eq!(has_scope(&claim, Some("mail")), scope, "{claim}");
            assert_eq!(has_audience(&claim, "mail"), audience, "{claim}");
            assert!(has_scope(&claim, None));
        }
    }
}
