//! Commands about runs, seeded, and labels to attach.

use assent_kernel::command::{CommandBody, RunCommand};
use assent_kernel::event::StepKind;
use assent_kernel::state::keys::RunMode;
use assent_kernel::taint::{TaintLabel, TaintSource};

use super::{Dice, tenant};

pub fn run(command: RunCommand) -> CommandBody {
    CommandBody::Run(Box::new(command))
}

pub fn label(source: TaintSource, origin: &str) -> TaintLabel {
    TaintLabel { source, origin: origin.into(), confidence_milli: 900, propagated_from: None }
}

pub fn random_run(dice: &mut Dice, of: &str, run_id: String, subject: Option<String>) -> RunCommand {
    let (tenant, justification) = (tenant(of), b"because".to_vec());
    let source = dice.pick(&TaintSource::ALL);
    let labels = vec![label(source, &format!("origin-{}", dice.below(40)))];
    match dice.below(5) {
        0 => {
            let mode = dice.pick(&[RunMode::Normal, RunMode::Restricted, RunMode::Quarantined]);
            RunCommand::SetRunMode { tenant, run_id, mode, justification }
        }
        1 | 2 => RunCommand::ReleaseQuarantine { tenant, run_id, justification },
        3 => RunCommand::AttachTaint { run_id, subject, labels },
        _ => RunCommand::RecordStep {
            run_id,
            subject,
            kind: dice.pick(&StepKind::ALL),
            source: Some("model-1".into()),
            labels,
            content_type: "text/plain".into(),
            content: b"what the model said".to_vec(),
        },
    }
}
