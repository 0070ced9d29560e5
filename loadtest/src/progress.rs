//! The progress bar: on a terminal, and not with `--json` or `--no-progress`.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether bars are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Shown,
    Hidden,
}

impl Progress {
    /// A bar that counts to `length`. indicatif itself hides it where standard error is no terminal.
    pub fn bar(self, length: u64, what: &'static str) -> ProgressBar {
        let target = match self {
            Progress::Shown => ProgressDrawTarget::stderr_with_hz(10),
            Progress::Hidden => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template(
            "{wide_bar} {pos}/{len} {msg} {per_sec} {elapsed_precise} left {eta}",
        )
        .expect("the template is well-formed");
        ProgressBar::with_draw_target(Some(length), target)
            .with_style(style)
            .with_message(what)
    }
}
