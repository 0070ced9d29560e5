//! A store in a scratch directory, and all that is in it.

use ringpost_api::table::flag;
use ringpost_api::write::Write;
use ringpost_api::{Outcome, Store, read};
use ringpost_lmdb::{Lmdb, Options};
use ringpost_log::{Blocking, Reader, file};
use ringpost_migration::export;
use ringpost_migration::import::{self, Order};
use ringpost_migration::mailboxes::Naming;
use ringpost_migration::operations::perform;
use ringpost_migration::source::Format;
use ringpost_migration::{Error, Told, Trouble};
use ringpost_types::limit::Limits;
use ringpost_types::{AccountId, Uid};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// A store with accounts.
pub struct World {
    pub store: Arc<Lmdb>,
    pub data: PathBuf,
    pub limits: Limits,
}

/// A message, as far as a migration must keep it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    pub mailbox: String,
    pub flags: u32,
    pub keywords: Vec<String>,
    pub date: u64,
    pub octets: String,
}

impl World {
    /// Opens the store below `scratch`, and makes the accounts that are missing.
    pub fn open(scratch: &Path, accounts: &[&str]) -> World {
        let data = scratch.join("data");
        fs::create_dir_all(&data).expect("writable");
        let store = Lmdb::open(&data, Options::default()).expect("a store");
        for name in accounts {
            let create = Write::AccountCreate {
                name: (*name).into(),
                secret: String::new(),
                scram: None,
            };
            let made = perform(&*store, create);
            assert!(matches!(
                made,
                Ok(Outcome::Account(_)) | Err(ringpost_api::Error::Exists)
            ));
        }
        World {
            store,
            data,
            limits: Limits::default(),
        }
    }

    /// Imports; what was told of troubles.
    pub fn import(&self, order: &Order) -> (Result<import::Report, Error>, Vec<Trouble>) {
        self.import_while(order, |_| ControlFlow::Continue(()))
    }

    /// Imports as long as `going` says so.
    pub fn import_while(
        &self,
        order: &Order,
        mut going: impl FnMut(&Told) -> ControlFlow<()>,
    ) -> (Result<import::Report, Error>, Vec<Trouble>) {
        let place = import::Place {
            store: &*self.store,
            data: &self.data,
            limits: &self.limits,
            compress: false,
        };
        let mut troubles = Vec::new();
        let report = import::run(&place, order, &mut |told| {
            let flow = going(&told);
            if let Told::Trouble(trouble) = told {
                troubles.push(trouble);
            }
            flow
        });
        (report, troubles)
    }

    /// Exports one account; what was told of troubles.
    pub fn export(
        &self,
        account: &str,
        format: Format,
        target: &Path,
    ) -> (export::Report, Vec<Trouble>) {
        let place = export::Place {
            store: &*self.store,
            data: &self.data,
        };
        let order = export::Order {
            account: Some(account.into()),
            mailbox: None,
            format,
            target: target.to_owned(),
        };
        let mut troubles = Vec::new();
        let report = export::run(&place, &order, &mut |told| {
            if let Told::Trouble(trouble) = told {
                troubles.push(trouble);
            }
            ControlFlow::Continue(())
        });
        (report.expect("exported"), troubles)
    }

    fn account(&self, name: &str) -> AccountId {
        let snapshot = self.store.snapshot().expect("a snapshot");
        let found = read::account_by_address(&*snapshot, name).expect("rows");
        found.expect("the account is there").0
    }

    /// Names of the account's mailboxes, subscribed ones with `+` in front.
    pub fn mailboxes(&self, account: &str) -> Vec<String> {
        let snapshot = self.store.snapshot().expect("a snapshot");
        let mut names = Vec::new();
        read::mailboxes(&*snapshot, self.account(account), |name, row| {
            let subscribed = row.is_none_or(|(_, row)| row.special >> 31 == 1);
            names.push(format!("{}{name}", if subscribed { "+" } else { "" }));
            ControlFlow::Continue(())
        })
        .expect("rows");
        names
    }

    /// Every message of an account: by mailbox, then in the order of UIDs.
    pub fn messages(&self, account: &str) -> Vec<Message> {
        let snapshot = self.store.snapshot().expect("a snapshot");
        let reader = Reader::new(Blocking, &self.data);
        let account = self.account(account);
        let (mut found, mut mailboxes) = (Vec::new(), Vec::new());
        read::mailboxes(&*snapshot, account, |name, row| {
            if let Some((id, row)) = row {
                let keywords: Vec<String> = row.keywords().map(str::to_owned).collect();
                mailboxes.push((name.to_owned(), id, keywords));
            }
            ControlFlow::Continue(())
        })
        .expect("rows");
        for (mailbox, id, keywords) in mailboxes {
            let mut rows = Vec::new();
            read::messages(&*snapshot, account, id, Uid(1), |uid, row| {
                rows.push((uid, row));
                ControlFlow::Continue(())
            })
            .expect("rows");
            for (uid, row) in rows {
                let blob = read::blob(&*snapshot, row.blob)
                    .expect("rows")
                    .expect("a blob");
                let shared = file::now(reader.whole(&blob)).expect("its octets");
                let prefix = read::prefix(&*snapshot, account, id, uid).expect("rows");
                let mut set: Vec<String> = keywords
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| row.keywords >> bit & 1 == 1)
                    .map(|(_, keyword)| keyword.clone())
                    .collect();
                set.sort();
                found.push(Message {
                    mailbox: mailbox.clone(),
                    flags: row.flags & flag::ALL,
                    keywords: set,
                    date: row.internal_date,
                    octets: String::from_utf8_lossy(&[prefix, &shared].concat()).into_owned(),
                });
            }
        }
        found
    }
}

/// A plain order.
pub fn order(account: &str, source: &Path, format: Format) -> Order {
    Order {
        account: account.into(),
        source: source.to_owned(),
        format,
        naming: Naming::default(),
        again: false,
        dry_run: false,
    }
}

/// Writes one file, with the directories above it, and sets its date.
pub fn put(root: &Path, name: &str, octets: &str, date: u64) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
    fs::write(&path, octets).expect("writable");
    let file = fs::File::options()
        .write(true)
        .open(&path)
        .expect("just written");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(date))
        .expect("a date");
}
