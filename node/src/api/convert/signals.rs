//! Reported signals on the wire.

use assent_kernel::command::{CommandBody, ReportSignal, SignalScope, Signals};
use assent_proto::v1;

use super::admin::{Ask, Asked};
use super::{request_id, wrong};

impl Ask for v1::ReportSignalRequest {
    fn ask(self) -> Asked {
        let scope = SignalScope::from_parts(&self.scope, &self.name).ok_or_else(|| {
            let what = format_args!("is {} with the name {}", super::shown(&self.scope), super::shown(&self.name));
            wrong("scope", what, "tenant without a name, subject with a subject, or run with a run's id")
        })?;
        let signals = Signals {
            risk_milli: self.risk_milli,
            queue_depth: self.queue_depth,
            budget_use_milli: self.budget_use_milli,
        };
        if signals.is_empty() {
            return Err(wrong(
                "risk_milli",
                "and every other signal is missing",
                "there, or queue_depth or budget_use_milli",
            ));
        }
        let command = ReportSignal { scope, signals, valid_seconds: self.valid_seconds };
        Ok((request_id(&self.request_id)?, CommandBody::Signal(Box::new(command))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "018bcfe5-6800-7909-8909-090909090909";

    fn report(scope: &str, name: &str, risk_milli: Option<u32>) -> Asked {
        let (request_id, scope, name) = (ID.to_owned(), scope.to_owned(), name.to_owned());
        v1::ReportSignalRequest { request_id, scope, name, risk_milli, valid_seconds: 60, ..Default::default() }.ask()
    }

    #[test]
    fn a_report_is_about_a_tenant_a_subject_or_a_run_and_says_something() {
        for (scope, name) in [("tenant", ""), ("subject", "agent-1"), ("run", "r")] {
            let CommandBody::Signal(command) = report(scope, name, Some(0)).unwrap().1 else { panic!("{scope}") };
            assert_eq!((command.scope.kind(), command.scope.name()), (scope, name));
            assert_eq!((command.signals.risk_milli, command.signals.queue_depth), (Some(0), None));
        }
        for (scope, name) in [("tenant", "acme"), ("subject", ""), ("run", ""), ("", ""), ("Run", "r")] {
            let error = report(scope, name, Some(1)).unwrap_err();
            assert!(error.message.starts_with("scope is"), "{}", error.message);
        }
        let error = report("tenant", "", None).unwrap_err();
        assert!(error.message.starts_with("risk_milli and every other signal is missing"), "{}", error.message);
    }
}
