//! The way of a login. One [`Door`] for all services of a shard, one [`Talk`] for each login under way.
//!
//! | step | where |
//! |---|---|
//! | may this one try at all? | admission, before anything is looked at |
//! | is the mechanism offered on this channel? | [`Door::offer`] |
//! | responses and challenges | [`ringpost_sasl::Exchange`] |
//! | password: app password, seen lately, else hashed | [`crate::check`], beside the shard |
//! | SCRAM: keys, of nobody where there are none | [`crate::keys`] |
//! | token | [`crate::tokens`], on the control plane |
//! | certificate | [`crate::certificate`] |
//! | is the credential good for this service? | [`Subject::scopes`] |
//! | told, counted, waited for | [`Door::refuse`], [`Door::welcome`] |
//!
//! A good password is the moment to make SCRAM keys for an account that has none; nobody waits for the write.

use crate::cache::Cache;
use crate::caller::{Caller, Channel};
use crate::certificate::{self, Subjects};
use crate::check::{self, App, NewKeys, Start, Subject};
use crate::keys;
use crate::name::{Name, is_same};
use crate::queue::Queue;
use crate::refusal::Refusal;
use crate::tokens::{self, Known, TokenError, Tokens};
use data_encoding::BASE64;
use ringpost_admission::{Admission, Verdict};
use ringpost_api::{Error, Store, Write};
use ringpost_directory::{Login, directory};
use ringpost_runtime::time::{self, Duration};
use ringpost_runtime::{Shard, event};
use ringpost_sasl::{
    Circumstances, Exchange, Keys, Mechanism, Offer, Question, Secret, Setting, Step, offer, plain,
};
use ringpost_types::TraceId;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Characters of a stranger's name that an event shows.
const SHOWN_MAX: usize = 80;
/// How long the use of an app password may stay unwritten, in seconds.
const USED_EVERY: u64 = 600;
/// Octets of our half of SCRAM's nonce, before base64.
const NONCE_OCTETS: usize = 18;

/// What a [`Door`] is made of.
pub struct Setup {
    /// The thread.
    pub shard: Rc<Shard>,
    /// Where accounts are.
    pub store: Arc<dyn Store>,
    /// Who may try.
    pub admission: Arc<Admission>,
    /// What is the same for all shards.
    pub policy: Arc<Policy>,
    /// Good logins and tokens that are remembered, each.
    pub entries_max: usize,
}

/// What the operator wants of logins.
pub struct Policy {
    /// Mechanisms that may be offered.
    pub allowed: Offer,
    /// The server's own secret: SCRAM keys of nobody are made of it. The same for as long as the data folder lives.
    pub nobody: [u8; 32],
    /// Whom to ask about tokens.
    pub tokens: Option<Arc<dyn Tokens>>,
    /// How long they may take, in milliseconds.
    pub token_ms: u64,
    /// Accounts by the subjects of certificates.
    pub subjects: Subjects,
    /// What a refused login waits at least, in milliseconds.
    pub failure_ms: u64,
    /// Who may wait for a hash.
    pub queue: Arc<Queue>,
}

impl Default for Policy {
    /// Everything but tokens; nobody's secret is not secret. For tests.
    fn default() -> Self {
        Policy {
            allowed: Offer::ALL,
            nobody: [0; 32],
            tokens: None,
            token_ms: 1_000,
            subjects: Subjects::new(),
            failure_ms: 0,
            queue: Queue::new(1_000),
        }
    }
}

/// Where logins of a shard come in.
pub struct Door {
    shard: Rc<Shard>,
    store: Arc<dyn Store>,
    admission: Arc<Admission>,
    policy: RefCell<Arc<Policy>>,
    cache: RefCell<Cache>,
    known: RefCell<Known>,
}

/// What comes next.
pub enum Next {
    /// Send it; the client's response goes to [`Talk::respond`]. Drop the talk where the client gives up.
    Challenge(Box<Talk>, Vec<u8>),
    /// Let in.
    Done(Login),
    /// Not let in; the wait that it costs is over already.
    Refused(Refusal),
}

/// Whose secret a refused login may have been a guess at.
#[derive(Clone, Copy)]
struct Guessed<'i> {
    /// Whom the client says that it is.
    identity: &'i str,
    /// Passwords can be guessed; tokens and certificates cannot, and their failures say nothing of whom they name.
    is_password: bool,
}

impl<'i> Guessed<'i> {
    const NOTHING: Guessed<'static> = Guessed::of("");

    const fn of(identity: &'i str) -> Self {
        Guessed {
            identity,
            is_password: true,
        }
    }

    /// What admission counts; empty: nobody.
    fn name(self) -> String {
        match self.is_password {
            true => Name::read(self.identity).guess_key(),
            false => String::new(),
        }
    }
}

/// A login under way.
pub struct Talk {
    door: Rc<Door>,
    caller: Caller,
    mechanism: Mechanism,
    exchange: Exchange,
    /// Whom the client says that it is.
    identity: String,
    /// The refusal is told and counted already.
    is_told: bool,
    /// The keys that SCRAM goes by.
    shown: Option<Keys>,
    /// Whom we know it to be, if the exchange ends well.
    subject: Option<Subject>,
}

impl Door {
    /// Puts it together.
    pub fn new(setup: Setup) -> Rc<Door> {
        Rc::new(Door {
            shard: setup.shard,
            store: setup.store,
            admission: setup.admission,
            policy: RefCell::new(setup.policy),
            cache: RefCell::new(Cache::new(setup.entries_max)),
            known: RefCell::new(Known::new(setup.entries_max)),
        })
    }

    /// What is wanted from now on.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        *self.policy.borrow_mut() = policy;
    }

    fn policy(&self) -> Arc<Policy> {
        self.policy.borrow().clone()
    }

    /// What may be announced on a channel.
    pub fn offer(&self, channel: &Channel) -> Offer {
        let policy = self.policy();
        let names = |certificate: &_| certificate::names(certificate, &policy.subjects);
        let circumstances = Circumstances {
            private: channel.private,
            bound: channel.binding.is_possible(),
            certificate: channel.certificate.as_deref().is_some_and(names),
            bearer: policy.tokens.is_some(),
        };
        offer(&circumstances).only(policy.allowed)
    }

    /// Begins a login. `initial` is the decoded initial response, where there is one.
    pub async fn open(
        self: &Rc<Self>,
        caller: Caller,
        mechanism: Mechanism,
        initial: Option<&[u8]>,
    ) -> Next {
        let offer = self.offer(&caller.channel);
        let refusal = match () {
            () if !caller.channel.private => Some(Refusal::Clear),
            () if !offer.contains(mechanism) => Some(Refusal::NotOffered),
            () => None,
        };
        if let Some(refusal) = refusal {
            return Next::Refused(self.refuse(&caller, Guessed::NOTHING, refusal).await);
        }
        let setting = Setting {
            binding: caller.channel.binding.clone(),
            plus: offer.contains(Mechanism::ScramSha256Plus),
            nonce: nonce(),
        };
        let (exchange, step) = Exchange::begin(mechanism, setting, initial);
        let talk = Box::new(Talk {
            door: self.clone(),
            caller,
            mechanism,
            exchange,
            identity: String::new(),
            is_told: false,
            shown: None,
            subject: None,
        });
        talk.go_on(step).await
    }

    /// A login by name and password: IMAP's LOGIN.
    pub async fn password(
        self: &Rc<Self>,
        caller: &Caller,
        identity: &[u8],
        password: &[u8],
    ) -> Result<Login, Refusal> {
        let refusal = match self.offer(&caller.channel).contains(Mechanism::Plain) {
            true => None,
            false if caller.channel.private => Some(Refusal::NotOffered),
            false => Some(Refusal::Clear),
        };
        if let Some(refusal) = refusal {
            return Err(self.refuse(caller, Guessed::NOTHING, refusal).await);
        }
        let text = std::str::from_utf8(identity).unwrap_or_default();
        let (identity, found) = match plain::credentials("", text, password) {
            Ok(Question::Password { identity, password }) => {
                let found = self.check(caller, &identity, password).await;
                (identity, found)
            }
            // No name that anybody has, or no password at all.
            _ => (text.to_owned(), Err(Refusal::Credentials)),
        };
        match found {
            Ok(subject) => self.welcome(caller, subject, "LOGIN", &identity).await,
            Err(refusal) => Err(self.refuse(caller, Guessed::of(&identity), refusal).await),
        }
    }

    /// Whether passwords of `name`, as [`Name::guess_key`] writes it, may be tried now; empty: whether anything may.
    fn may_try(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        let now_ms = time::now_unix_ms();
        match self.admission.may_log_in(caller.ip, name, now_ms) {
            Verdict::Welcome | Verdict::Slow(_) => Ok(()),
            Verdict::Later(reason) | Verdict::Refused(reason) => Err(Refusal::Later(reason)),
        }
    }

    /// Whose the password is.
    async fn check(
        &self,
        caller: &Caller,
        identity: &str,
        password: Secret,
    ) -> Result<Subject, Refusal> {
        self.may_try(caller, "")?;
        let now_ms = time::now_unix_ms();
        let start = {
            let snapshot = self.store.snapshot().map_err(failed(caller.trace))?;
            let cache = self.cache.borrow();
            check::start(&*snapshot, &cache, identity, password, now_ms)
                .map_err(failed(caller.trace))?
        };
        let name = Name::read(identity);
        let may_guess = || self.may_try(caller, &name.guess_key());
        let hash = match start {
            // An app password is no guess. A remembered one may be: it must not tell faster what a hash would.
            Start::Known(subject) if subject.app.is_some() => return Ok(subject),
            Start::Known(subject) => return may_guess().map(|()| subject),
            Start::Hash(hash) => may_guess().map(|()| hash)?,
        };
        let name = name.account_key();
        let is_at_home = self.admission.is_at_home(caller.ip, &name, now_ms);
        let place = self.policy().queue.place(is_at_home).ok_or(Refusal::Busy)?;
        let hashed = self.shard.offload(move || hash.verify()).await;
        drop(place);
        let hashed = hashed.map_err(|_| Refusal::Busy)?;
        let (subject, keys) = check::settle(&mut self.cache.borrow_mut(), hashed, now_ms);
        keys.into_iter().for_each(|keys| self.keep(keys));
        subject.ok_or(Refusal::Credentials)
    }

    /// Stores SCRAM keys for an account that had none.
    fn keep(&self, new: NewKeys) {
        let write = Write::AccountKeys {
            account: new.account,
            secret: new.secret,
            scram: keys::stored(&new.keys),
        };
        self.store.submit(write, None);
    }

    /// Whose the token is.
    async fn token(
        &self,
        caller: &Caller,
        identity: Option<&str>,
        token: Secret,
    ) -> Result<Subject, Refusal> {
        self.may_try(caller, "")?;
        let now_ms = time::now_unix_ms();
        let known = self.known.borrow().find(&token, now_ms);
        let name = match known {
            Some(name) => name,
            None => self.ask(token, now_ms).await?,
        };
        let other = identity.is_some_and(|identity| !is_same(identity, &name));
        match other {
            true => Err(Refusal::Credentials),
            false => self.account(&name, caller.trace),
        }
    }

    /// Asks whoever knows tokens, and remembers the answer.
    async fn ask(&self, token: Secret, now_ms: u64) -> Result<String, Refusal> {
        let policy = self.policy();
        let Some(tokens) = &policy.tokens else {
            return Err(Refusal::NotOffered);
        };
        let (answer, waiting) = tokens::question();
        tokens.ask(token.clone(), answer);
        let patience = Duration::from_millis(policy.token_ms);
        match time::timeout(patience, waiting).await {
            Ok(Ok(holder)) => {
                self.known.borrow_mut().remember(&token, &holder, now_ms);
                Ok(holder.name)
            }
            Ok(Err(TokenError::Invalid)) => Err(Refusal::Credentials),
            Ok(Err(TokenError::Unavailable)) | Err(_) => Err(Refusal::Unavailable),
        }
    }

    /// Whom the certificate names.
    fn certificate(&self, caller: &Caller, identity: Option<&str>) -> Result<Subject, Refusal> {
        self.may_try(caller, "")?;
        let policy = self.policy();
        let shown = caller.channel.certificate.as_deref();
        let name = shown.and_then(|shown| certificate::account(shown, &policy.subjects, identity));
        self.account(name.ok_or(Refusal::Credentials)?, caller.trace)
    }

    /// An account that needs no password any more.
    fn account(&self, name: &str, trace: TraceId) -> Result<Subject, Refusal> {
        let snapshot = self.store.snapshot().map_err(failed(trace))?;
        let account = directory::account(&*snapshot, name).map_err(failed(trace))?;
        let account = account.filter(|account| !account.disabled);
        account.map(Subject::of).ok_or(Refusal::Credentials)
    }

    /// Tells that somebody is let in.
    async fn welcome(
        &self,
        caller: &Caller,
        subject: Subject,
        how: &str,
        identity: &str,
    ) -> Result<Login, Refusal> {
        if subject.scopes & caller.service.scope() == 0 {
            let guessed = Guessed::of(identity);
            return Err(self.refuse(caller, guessed, Refusal::Scope).await);
        }
        let (service, name) = (caller.service.name(), &subject.login.name);
        let by = subject.app.as_ref().map_or("", |app| &*app.name);
        let (with, from) = (if by.is_empty() { "" } else { " app=" }, from(caller));
        event!(
            caller.trace,
            "{service}: login account={name} mechanism={how}{with}{by} peer={from}"
        );
        let key = Name::read(name).account_key();
        let now_ms = time::now_unix_ms();
        self.admission.logged_in(caller.ip, &key, now_ms);
        subject.app.into_iter().for_each(|app| self.used(app));
        Ok(subject.login)
    }

    /// Writes down that an app password was used, once in a while.
    fn used(&self, app: App) {
        let now = time::now_unix();
        if (app.used..app.used.saturating_add(USED_EVERY)).contains(&now) {
            return;
        }
        let App { account, id, .. } = app;
        self.store
            .submit(Write::CredentialUsed { account, id }, None);
    }

    /// Tells that somebody is not let in, counts a guess, and waits.
    async fn refuse(&self, caller: &Caller, guessed: Guessed<'_>, refusal: Refusal) -> Refusal {
        let shown: String = guessed.identity.chars().take(SHOWN_MAX).collect();
        let (service, from) = (caller.service.name(), from(caller));
        event!(
            caller.trace,
            "{service}: login refused identity={shown:?} peer={from} why={refusal}"
        );
        if !refusal.is_guess() {
            return refusal;
        }
        let (name, now_ms) = (guessed.name(), time::now_unix_ms());
        let least_ms = self.policy().failure_ms;
        let wait_ms = match self.admission.log_in_failed(caller.ip, &name, now_ms) {
            Verdict::Slow(ms) => ms.max(least_ms),
            Verdict::Welcome | Verdict::Later(_) | Verdict::Refused(_) => least_ms,
        };
        time::sleep(Duration::from_millis(wait_ms)).await;
        refusal
    }
}

impl Talk {
    /// Takes the client's response to the last challenge.
    pub async fn respond(mut self: Box<Self>, response: &[u8]) -> Next {
        // A proof is a guess as a password is, and many exchanges may have begun before the first of them failed.
        if self.shown.is_some() {
            let name = Name::read(&self.identity).guess_key();
            if let Err(refusal) = self.door.may_try(&self.caller, &name) {
                return self.refuse(refusal).await;
            }
        }
        let step = self.exchange.respond(response);
        self.go_on(step).await
    }

    /// What the exchange asks is answered until it needs the client.
    async fn go_on(mut self: Box<Self>, mut step: Step) -> Next {
        loop {
            step = match step {
                Step::Challenge(octets) => return Next::Challenge(self, octets),
                Step::Accepted => return self.welcome().await,
                Step::Refused(refusal) => return self.refuse(refusal.into()).await,
                Step::Ask(Question::Keys { identity }) => match self.keys(identity) {
                    Ok(step) => step,
                    Err(refusal) => return self.refuse(refusal).await,
                },
                Step::Ask(question) => match self.ask(question).await {
                    Ok(subject) => {
                        self.subject = Some(subject);
                        self.exchange.answer(true)
                    }
                    Err(Refusal::Credentials) => {
                        let step = self.exchange.answer(false);
                        // The mechanism has something to say before the end, to which a client may never come.
                        if matches!(step, Step::Challenge(_)) {
                            self.tell(Refusal::Credentials).await;
                            self.is_told = true;
                        }
                        step
                    }
                    Err(refusal) => return self.refuse(refusal).await,
                },
            };
        }
    }

    fn keys(&mut self, identity: String) -> Result<Step, Refusal> {
        self.identity = identity;
        let name = Name::read(&self.identity).guess_key();
        self.door.may_try(&self.caller, &name)?;
        let (keys, subject) = self.find()?;
        self.shown = Some(keys.clone());
        self.subject = subject;
        Ok(self.exchange.keys(keys))
    }

    /// The keys of whom the client says that it is, and who that is.
    fn find(&self) -> Result<(Keys, Option<Subject>), Refusal> {
        let (door, trace) = (&*self.door, self.caller.trace);
        let snapshot = door.store.snapshot().map_err(failed(trace))?;
        let nobody = &door.policy().nobody;
        keys::find(&*snapshot, nobody, &self.identity).map_err(failed(trace))
    }

    async fn ask(&mut self, question: Question) -> Result<Subject, Refusal> {
        let (door, caller) = (&self.door, &self.caller);
        match question {
            Question::Password { identity, password } => {
                self.identity = identity;
                door.check(caller, &self.identity, password).await
            }
            Question::Bearer { identity, token } => {
                self.identity = identity.unwrap_or_default();
                let named = Some(&*self.identity).filter(|name| !name.is_empty());
                door.token(caller, named, token).await
            }
            Question::Certificate { identity } => {
                self.identity = identity.unwrap_or_default();
                let named = Some(&*self.identity).filter(|name| !name.is_empty());
                door.certificate(caller, named)
            }
            // Answered by its own way.
            Question::Keys { .. } => Err(Refusal::Malformed),
        }
    }

    async fn welcome(mut self: Box<Self>) -> Next {
        // A client may take its time with a proof; what it proves to know must still be good.
        if let Some(shown) = self.shown.take() {
            match self.find() {
                Ok((keys, subject)) => self.subject = subject.filter(|_| keys == shown),
                Err(refusal) => return self.refuse(refusal).await,
            }
        }
        let Some(subject) = self.subject.take() else {
            return self.refuse(Refusal::Credentials).await;
        };
        let how = self.mechanism.name();
        let welcome = self
            .door
            .welcome(&self.caller, subject, how, &self.identity);
        match welcome.await {
            Ok(login) => Next::Done(login),
            Err(refusal) => Next::Refused(refusal),
        }
    }

    async fn refuse(self: Box<Self>, refusal: Refusal) -> Next {
        if !self.is_told {
            self.tell(refusal).await;
        }
        Next::Refused(refusal)
    }

    /// Tells, counts and waits.
    async fn tell(&self, refusal: Refusal) {
        // Whoever names nobody is told of by what he shows: the operator may want it in [[auth.certificate]].
        let identity = match &self.caller.channel.certificate {
            Some(shown) if self.mechanism == Mechanism::External && self.identity.is_empty() => {
                &*shown.subject
            }
            _ => &*self.identity,
        };
        let guessed = Guessed {
            identity,
            is_password: self.mechanism.is_by_password(),
        };
        self.door.refuse(&self.caller, guessed, refusal).await;
    }
}

/// What a failed store means to who logs in; the operator reads more.
fn failed(trace: TraceId) -> impl Fn(Error) -> Refusal {
    move |error| {
        event!(trace, "login: {error}");
        Refusal::Unavailable
    }
}

fn from(caller: &Caller) -> String {
    caller.ip.map_or("unix".to_owned(), |ip| ip.to_string())
}

/// Random and printable, without commas.
fn nonce() -> String {
    let mut octets = [0; NONCE_OCTETS];
    aws_lc_rs::rand::fill(&mut octets).expect("the machine gives random octets");
    BASE64.encode(&octets)
}
