//! Commands about runs, and labels to attach.

use assent_kernel::command::{CommandBody, RunCommand};
use assent_kernel::taint::{TaintLabel, TaintSource};

pub fn run(command: RunCommand) -> CommandBody {
    CommandBody::Run(Box::new(command))
}

pub fn label(source: TaintSource, origin: &str) -> TaintLabel {
    TaintLabel { source, origin: origin.into(), confidence_milli: 900, propagated_from: None }
}
