//! Every kind of command by name, from matches without a wildcard: a new command does not compile until it has a name here, and a name
//! here fails the test that asks every world for it until something generates it.

use assent_kernel::command::{
    ApprovalAction, CommandBody, ControlCommand, ExecutionCommand, GrantCommand, KillTarget, MemoryCommand,
    MemoryQuarantine, MemoryTarget, MessageCommand, RunCommand, SignalScope,
};
use assent_kernel::state::keys::RunMode;

macro_rules! kinds {
    ($($name:ident($list:ident) of $type:ty { $($pattern:pat => $kind:literal,)* } $(elsewhere { $other:pat })?;)*) => {
        $(
            const $list: &[&str] = &[$($kind),*];

            fn $name(command: &$type) -> &'static str {
                match command {
                    $($pattern => $kind,)*
                    $($other => unreachable!("named by its own enum"),)?
                }
            }
        )*

        /// Every kind.
        pub fn all() -> impl Iterator<Item = &'static str> {
            [$($list),*].into_iter().flatten().copied()
        }
    };
}

/// The kind of a command.
pub fn kind(body: &CommandBody) -> &'static str {
    match body {
        CommandBody::Control(asked) => control(asked),
        CommandBody::Grant(asked) => grant(asked),
        CommandBody::Approval(asked) => approval(&asked.action),
        CommandBody::Execution(asked) => execution(asked),
        CommandBody::Message(asked) => message(asked),
        CommandBody::Memory(asked) => match asked.as_ref() {
            MemoryCommand::Read(read) => target(&read.target),
            other => memory(other),
        },
        CommandBody::Run(asked) => run(asked),
        CommandBody::Signal(asked) => scope(&asked.scope),
        other => plain(other),
    }
}

kinds! {
    plain(PLAIN) of CommandBody {
        CommandBody::Genesis(_) => "genesis",
        CommandBody::CreateTenant(_) => "create-tenant",
        CommandBody::RegisterPrincipal { .. } => "register-principal",
        CommandBody::DisablePrincipal { .. } => "disable-principal",
        CommandBody::RegisterCredential(_) => "register-credential",
        CommandBody::RevokeCredential { .. } => "revoke-credential",
        CommandBody::OfferBundle(_) => "offer-bundle",
        CommandBody::ActivateBundle { .. } => "activate-bundle",
        CommandBody::OpenRun(_) => "open-run",
        CommandBody::CloseRun(_) => "close-run",
        CommandBody::Evaluate(_) => "evaluate",
        CommandBody::EndorseKey(_) => "endorse-key",
        CommandBody::RetireKey(_) => "retire-key",
        CommandBody::Seal { .. } => "seal",
        CommandBody::Cosigned(_) => "cosigned",
        CommandBody::Anchored(_) => "anchored",
        CommandBody::Tick => "tick",
    } elsewhere {
        CommandBody::Control(_)
        | CommandBody::Grant(_)
        | CommandBody::Approval(_)
        | CommandBody::Execution(_)
        | CommandBody::Message(_)
        | CommandBody::Memory(_)
        | CommandBody::Run(_)
        | CommandBody::Signal(_)
    };
    control(CONTROL) of ControlCommand {
        ControlCommand::ErasePayload { .. } => "erase-payload",
        ControlCommand::ConfigureTenant { .. } => "configure-tenant",
        ControlCommand::SetTenantDisabled { disabled: true, .. } => "disable-tenant",
        ControlCommand::SetTenantDisabled { disabled: false, .. } => "enable-tenant",
        ControlCommand::KillSwitch { engaged: true, target: KillTarget::Tenant, .. } => "kill-tenant",
        ControlCommand::KillSwitch { engaged: true, target: KillTarget::Agent(_), .. } => "kill-agent",
        ControlCommand::KillSwitch { engaged: true, target: KillTarget::Tool(_), .. } => "kill-tool",
        ControlCommand::KillSwitch { engaged: false, .. } => "kill-released",
        ControlCommand::ActivateKernelVersion { .. } => "activate-kernel-version",
        ControlCommand::SetRuntimeRules { .. } => "set-runtime-rules",
        ControlCommand::EnablePrincipal { .. } => "enable-principal",
    };
    grant(GRANT) of GrantCommand {
        GrantCommand::Request { .. } => "request-capability",
        GrantCommand::Delegate { .. } => "delegate",
        GrantCommand::Revoke { .. } => "revoke",
    };
    approval(APPROVAL) of ApprovalAction {
        ApprovalAction::Approve => "approve",
        ApprovalAction::Deny => "deny",
        ApprovalAction::Modify(_) => "modify",
        ApprovalAction::RequestMoreInfo => "request-more-info",
    };
    execution(EXECUTION) of ExecutionCommand {
        ExecutionCommand::Redeem(_) => "redeem",
        ExecutionCommand::Complete(_) => "complete",
    };
    message(MESSAGE) of MessageCommand {
        MessageCommand::Record(_) => "record-message",
        MessageCommand::RegisterKey(_) => "register-agent-key",
        MessageCommand::RotateKey(_) => "rotate-agent-key",
    };
    memory(MEMORY) of MemoryCommand {
        MemoryCommand::Write(_) => "memory-write",
        MemoryCommand::Forget { .. } => "memory-forget",
        MemoryCommand::Release(_) => "memory-release",
        MemoryCommand::Quarantine(MemoryQuarantine { quarantined: true, .. }) => "memory-quarantine",
        MemoryCommand::Quarantine(MemoryQuarantine { quarantined: false, .. }) => "memory-restore",
    } elsewhere {
        MemoryCommand::Read(_)
    };
    target(TARGET) of MemoryTarget {
        MemoryTarget::Key(_) => "memory-read",
        MemoryTarget::Query { .. } => "memory-query",
    };
    run(RUN) of RunCommand {
        RunCommand::SetRunMode { mode: RunMode::Normal, .. } => "run-normal",
        RunCommand::SetRunMode { mode: RunMode::Restricted, .. } => "run-restricted",
        RunCommand::SetRunMode { mode: RunMode::Quarantined | RunMode::Closed, .. } => "run-quarantined",
        RunCommand::ReleaseQuarantine { .. } => "release-quarantine",
        RunCommand::AttachTaint { .. } => "attach-taint",
        RunCommand::RecordStep { .. } => "record-step",
    };
    scope(SCOPE) of SignalScope {
        SignalScope::Tenant => "signal-of-tenant",
        SignalScope::Subject(_) => "signal-of-subject",
        SignalScope::Run(_) => "signal-of-run",
    };
}
