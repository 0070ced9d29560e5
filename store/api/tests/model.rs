//! The behaviour tests on the model: they hold for what they hold everything else to.

use proptest::prelude::*;
use ringpost_api::behaviour::{ask, cases, model::Model, recount, script, tables};
use ringpost_api::{Outcome, Store};

#[test]
fn cases() {
    for (name, case) in cases::ALL {
        println!("{name}");
        case(&Model::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    /// Whatever is asked for in whatever order, rows hang together, and what is refused leaves them as they were.
    #[test]
    fn rows_hang_together(numbers in proptest::collection::vec(any::<u32>(), 0..600)) {
        let store = Model::default();
        for write in script::accounts() {
            prop_assert!(matches!(ask(&store, write), Ok(Outcome::Account(_))));
        }
        let mut script = script::Script::new(&numbers);
        while let Some(write) = script.next() {
            let before = tables(&store);
            let delivery = matches!(write, ringpost_api::Write::Deliver(_));
            let outcome = ask(&store, write);
            recount::check(&*store.snapshot().expect("a snapshot"));
            if outcome.is_err() && !delivery {
                prop_assert_eq!(before, tables(&store));
            }
        }
    }
}
