//! How far a long command is, on stderr: a bar on a terminal, a line now and then elsewhere, nothing with `--json`.

use super::tell;
use crate::control::operation::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::ops::ControlFlow;

/// A bar that takes whatever unit it is told.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// `quiet` shows nothing but notes.
    pub fn new(quiet: bool) -> Self {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        Bar {
            bar: ProgressBar::with_draw_target(None, target),
        }
    }

    /// Shows it.
    pub fn tell(&mut self, progress: Progress) -> ControlFlow<()> {
        if let Some(note) = &progress.note {
            self.bar.suspend(|| tell(note));
            return ControlFlow::Continue(());
        }
        if self.bar.length() != Some(progress.total) {
            self.bar.set_length(progress.total);
            let count = match progress.unit.as_str() {
                "octets" => "{bytes}/{total_bytes}  {bytes_per_sec}",
                _ => "{pos}/{len}  {per_sec}",
            };
            let style = format!(
                "{{bar:40}} {{percent:>3}} %  {count} {}  {{eta}}",
                progress.unit
            );
            if let Ok(style) = ProgressStyle::with_template(&style) {
                self.bar.set_style(style);
            }
        }
        self.bar.set_position(progress.done);
        ControlFlow::Continue(())
    }

    /// Takes the bar away.
    pub fn end(self) {
        self.bar.finish_and_clear();
    }
}
