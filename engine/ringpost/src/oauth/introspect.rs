//! Introspection: the server that gave a token is asked about it. RFC 7662.

use super::http::{Ask, Client, HttpError, Target, form_value};
use super::{has_audience, has_scope, is_verified, unavailable};
use crate::config::section::auth::{ClientId, Oauth};
use data_encoding::BASE64;
use hyper::header::HeaderValue;
use ringpost_login::{Holder, TokenError};
use serde_json::Value;

/// How long a token without an end is believed, in milliseconds; it is asked about again then.
const UNTIL_MS: u64 = 60_000;

/// Where and how to ask.
pub struct Introspection {
    client: Client,
    target: Target,
    authorization: Option<HeaderValue>,
    wanted: Wanted,
}

/// What an answer must say.
#[derive(Clone, Debug)]
struct Wanted {
    claim: String,
    scope: Option<String>,
    audience: Option<String>,
    issuer: Option<String>,
}

impl Introspection {
    /// `id` is who we are there. RFC 7662 §2.1 wants the asker known.
    pub fn new(
        client: Client,
        url: &str,
        id: Option<&ClientId>,
        oauth: &Oauth,
    ) -> Result<Introspection, HttpError> {
        let authorization = id.map(authorization).transpose()?;
        Ok(Introspection {
            client,
            target: Target::read(url)?,
            authorization,
            wanted: Wanted {
                claim: oauth.claim.clone(),
                scope: oauth.scope.clone(),
                audience: oauth.audience.clone(),
                issuer: oauth.issuer.clone(),
            },
        })
    }

    /// Whose `token` is.
    pub async fn holder(&self, token: &str) -> Result<Holder, TokenError> {
        let ask = Ask::Form {
            form: format!("token={}&token_type_hint=access_token", form_value(token)),
            authorization: self.authorization.as_ref(),
        };
        let answer = self.client.ask(&self.target, ask).await;
        let answer = answer.map_err(|error| unavailable(&error))?;
        self.wanted.holder(&answer, now_ms())
    }
}

/// HTTP Basic, each half encoded as in a form. RFC 6749 §2.3.1.
fn authorization(id: &ClientId) -> Result<HeaderValue, HttpError> {
    let secret = std::fs::read_to_string(&id.secret_file)
        .map_err(|error| HttpError::Setup(format!("{}: {error}", id.secret_file.display())))?;
    let pair = format!("{}:{}", form_value(&id.id), form_value(secret.trim()));
    let value = format!("Basic {}", BASE64.encode(pair.as_bytes()));
    let value = HeaderValue::from_str(&value).map(|mut value| {
        value.set_sensitive(true);
        value
    });
    value.map_err(|error| HttpError::Setup(error.to_string()))
}

impl Wanted {
    /// Reads an answer. RFC 7662 §2.2.
    fn holder(&self, answer: &Value, now_ms: u64) -> Result<Holder, TokenError> {
        let seconds = |name: &str| answer[name].as_f64().map(|seconds| (seconds * 1e3) as u64);
        let until_ms = seconds("exp").unwrap_or(now_ms.saturating_add(UNTIL_MS));
        let audience = self.audience.as_ref();
        let issuer = self.issuer.as_ref();
        let good = answer["active"] == Value::Bool(true)
            && now_ms < until_ms
            && seconds("nbf").is_none_or(|from_ms| from_ms <= now_ms)
            && has_scope(&answer["scope"], self.scope.as_deref())
            && is_verified(answer, &self.claim)
            && audience.is_none_or(|wanted| has_audience(&answer["aud"], wanted))
            && issuer.is_none_or(|wanted| answer["iss"] == **wanted);
        match answer[&*self.claim].as_str() {
            Some(name) if good && !name.is_empty() => Ok(Holder {
                name: name.to_owned(),
                until_ms,
            }),
            _ => Err(TokenError::Invalid),
        }
    }
}

/// Now, in milliseconds since 1970 UTC.
pub(super) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers() {
        let any = Wanted {
            claim: "email".into(),
            scope: None,
            audience: None,
            issuer: None,
        };
        let strict = Wanted {
            scope: Some("mail".into()),
            audience: Some("ringpost".into()),
            issuer: Some("https://id.example.org".into()),
            ..any.clone()
        };
        let good = json!({
            "active": true, "email": "a@example.org", "exp": 20, "nbf": 5, "scope": "openid mail",
            "aud": ["x", "ringpost"], "iss": "https://id.example.org",
        });
        let with = |name: &str, value: Value| {
            let mut answer = good.clone();
            answer[name] = value;
            answer
        };
        let until = |wanted: &Wanted, answer: &Value| {
            let holder = wanted.holder(answer, 10_000);
            holder.map(|holder| (holder.name, holder.until_ms)).ok()
        };
        let alice = |until_ms| Some(("a@example.org".to_owned(), until_ms));
        let cases = [
            (&any, good.clone(), alice(20_000)),
            (&strict, good.clone(), alice(20_000)),
            (&any, with("exp", Value::Null), alice(10_000 + UNTIL_MS)),
            (&any, with("active", json!(false)), None),
            (&any, with("active", json!("true")), None),
            (&any, json!({"active": false}), None),
            (&any, json!([]), None),
            (&any, with("exp", json!(10)), None),
            (&any, with("nbf", json!(11)), None),
            (&any, with("email", Value::Null), None),
            (&any, with("email", json!("")), None),
            (&any, with("email_verified", json!(false)), None),
            (&strict, with("scope", json!("openid")), None),
            (&strict, with("scope", Value::Null), None),
            (&strict, with("aud", json!("other")), None),
            (&strict, with("aud", Value::Null), None),
            (&strict, with("iss", json!("https://other")), None),
        ];
        for (wanted, answer, expected) in cases {
            assert_eq!(until(wanted, &answer), expected, "{answer}");
        }
    }
}
