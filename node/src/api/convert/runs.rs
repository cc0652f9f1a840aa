//! What is done to a run, on the wire.

use assent_kernel::command::{CommandBody, RunCommand};
use assent_kernel::event::StepKind;
use assent_kernel::state::keys::RunMode;
use assent_proto::v1;

use super::admin::{Ask, Asked};
use super::{CONTENT_TYPE_DEFAULT, context, name, name_opt, request_id, subject_opt, tenant, text_opt, wrong};
use crate::outcome::ApiError;

fn asked(id: &str, command: RunCommand) -> Asked {
    Ok((request_id(id)?, CommandBody::Run(Box::new(command))))
}

impl Ask for v1::SetRunModeRequest {
    fn ask(self) -> Asked {
        let command = RunCommand::SetRunMode {
            mode: mode(self.mode())?,
            tenant: tenant("tenant", &self.tenant)?,
            run_id: name("run_id", self.run_id)?,
            justification: self.justification.to_vec(),
        };
        asked(&self.request_id, command)
    }
}

/// Closing is not a mode that is set: `Admin.CloseRun` closes.
fn mode(mode: v1::RunMode) -> Result<RunMode, ApiError> {
    match mode {
        v1::RunMode::Normal => Ok(RunMode::Normal),
        v1::RunMode::Restricted => Ok(RunMode::Restricted),
        v1::RunMode::Quarantined => Ok(RunMode::Quarantined),
        v1::RunMode::Unspecified => Err(wrong("mode", "is missing", "normal, restricted or quarantined")),
    }
}

impl Ask for v1::ReleaseQuarantineRequest {
    fn ask(self) -> Asked {
        let command = RunCommand::ReleaseQuarantine {
            tenant: tenant("tenant", &self.tenant)?,
            run_id: name("run_id", self.run_id)?,
            justification: self.justification.to_vec(),
        };
        asked(&self.request_id, command)
    }
}

impl Ask for v1::AttachTaintRequest {
    fn ask(self) -> Asked {
        if self.labels.is_empty() {
            return Err(wrong("labels", "has no items", "a list of at least one label"));
        }
        let command = RunCommand::AttachTaint {
            run_id: name("run_id", self.run_id)?,
            subject: subject_opt("subject", self.subject)?,
            labels: context::labels("labels", self.labels)?,
        };
        asked(&self.request_id, command)
    }
}

impl Ask for v1::RecordStepRequest {
    fn ask(self) -> Asked {
        let command = RunCommand::RecordStep {
            kind: step_kind(self.kind())?,
            run_id: name("run_id", self.run_id)?,
            subject: subject_opt("subject", self.subject)?,
            source: name_opt("source", self.source)?,
            labels: context::labels("labels", self.labels)?,
            content_type: text_opt(self.content_type).unwrap_or_else(|| CONTENT_TYPE_DEFAULT.to_owned()),
            content: self.content.to_vec(),
        };
        asked(&self.request_id, command)
    }
}

fn step_kind(kind: v1::StepKind) -> Result<StepKind, ApiError> {
    match kind {
        v1::StepKind::Retrieval => Ok(StepKind::Retrieval),
        v1::StepKind::ModelOutput => Ok(StepKind::ModelOutput),
        v1::StepKind::FinalOutput => Ok(StepKind::FinalOutput),
        v1::StepKind::Unspecified => {
            let right = StepKind::ALL.map(StepKind::name).join(", ");
            Err(wrong("kind", "is missing", format_args!("one of: {right}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_kernel::taint::TaintSource;

    const ID: &str = "018bcfe5-6800-7909-8909-090909090909";

    fn set(mode: i32) -> Asked {
        let (request_id, tenant, run_id) = (ID.to_owned(), "acme".to_owned(), "run-1".to_owned());
        v1::SetRunModeRequest { request_id, tenant, run_id, mode, ..Default::default() }.ask()
    }

    fn step(kind: i32, source: &str) -> Asked {
        let (request_id, run_id, source) = (ID.to_owned(), "run-1".to_owned(), source.to_owned());
        v1::RecordStepRequest { request_id, run_id, kind, source, ..Default::default() }.ask()
    }

    fn run_command(asked: Asked) -> RunCommand {
        let CommandBody::Run(command) = asked.unwrap().1 else { panic!("no command about a run") };
        *command
    }

    #[test]
    fn every_mode_that_can_be_set_has_a_name_and_closed_has_none() {
        for wire in [v1::RunMode::Normal, v1::RunMode::Restricted, v1::RunMode::Quarantined] {
            let RunCommand::SetRunMode { mode, .. } = run_command(set(wire.into())) else { panic!("{wire:?}") };
            let name = wire.as_str_name().trim_start_matches("RUN_MODE_").to_ascii_lowercase();
            assert_eq!(mode.name(), name);
        }
        for number in [0, 4, -1] {
            let error = set(number).unwrap_err();
            assert!(error.message.starts_with("mode is missing; it must be normal,"), "{}", error.message);
        }
    }

    #[test]
    fn steps_have_kinds_and_their_sources_are_names() {
        for kind in StepKind::ALL {
            let wire = format!("STEP_KIND_{}", kind.name().replace('-', "_").to_ascii_uppercase());
            let wire = v1::StepKind::from_str_name(&wire).expect("every kind is on the wire");
            let read = run_command(step(wire.into(), "gpt-1"));
            let RunCommand::RecordStep { kind: made, source, content_type, .. } = read else { panic!("{kind:?}") };
            assert_eq!((made, source.as_deref(), content_type.as_str()), (kind, Some("gpt-1"), "application/json"));
        }
        assert!(step(0, "").unwrap_err().message.starts_with("kind is missing; it must be one of: retrieval,"));
        assert!(step(2, "two words").unwrap_err().message.starts_with("source is \"two words\""));
    }

    #[test]
    fn taint_is_attached_with_at_least_one_known_label() {
        let attach = |labels| {
            let (request_id, run_id) = (ID.to_owned(), "run-1".to_owned());
            v1::AttachTaintRequest { request_id, run_id, labels, ..Default::default() }.ask()
        };
        let label =
            |source: &str| v1::TaintLabel { source: source.to_owned(), origin: "o".to_owned(), ..Default::default() };
        let RunCommand::AttachTaint { labels, .. } = run_command(attach(vec![label("web")])) else {
            panic!("no taint")
        };
        assert_eq!((labels[0].source, labels[0].confidence_milli), (TaintSource::Web, 1000));
        assert!(attach(vec![]).unwrap_err().message.starts_with("labels has no items"));
        assert!(attach(vec![label("moon")]).unwrap_err().message.starts_with("labels.source is \"moon\""));
    }
}
