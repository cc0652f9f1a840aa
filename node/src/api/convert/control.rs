//! Control commands on the wire.

use assent_kernel::command::{CommandBody, ControlCommand, KillTarget, TenantSettings};
use assent_kernel::limits::BUNDLE_BYTES_MAX;
use assent_ledger::ids::Seq;
use assent_proto::v1;

use super::admin::{Ask, Asked};
use super::{bytes, hash, request_id, tenant, wrong};

fn asked(id: &str, command: ControlCommand) -> Asked {
    Ok((request_id(id)?, CommandBody::Control(Box::new(command))))
}

impl Ask for v1::ErasePayloadRequest {
    fn ask(self) -> Asked {
        let command = ControlCommand::ErasePayload {
            tenant: tenant("tenant", &self.tenant)?,
            seq: Seq(self.seq),
            commitment: hash("commitment", &self.commitment)?,
            justification: self.justification.to_vec(),
        };
        asked(&self.request_id, command)
    }
}

impl Ask for v1::ConfigureTenantRequest {
    fn ask(self) -> Asked {
        let settings = TenantSettings { observe: self.observe, require_attested: self.require_attested };
        let command = ControlCommand::ConfigureTenant { tenant: tenant("tenant", &self.tenant)?, settings };
        asked(&self.request_id, command)
    }
}

impl Ask for v1::SetTenantDisabledRequest {
    fn ask(self) -> Asked {
        let command =
            ControlCommand::SetTenantDisabled { tenant: tenant("tenant", &self.tenant)?, disabled: self.disabled };
        asked(&self.request_id, command)
    }
}

impl Ask for v1::SetKillSwitchRequest {
    fn ask(self) -> Asked {
        let target = KillTarget::from_parts(&self.target, &self.name).ok_or_else(|| {
            let what = format_args!("is {} with the name {}", super::shown(&self.target), super::shown(&self.name));
            wrong("target", what, "tenant without a name, agent with a subject, or tool with a tool's name")
        })?;
        let command = ControlCommand::KillSwitch {
            tenant: tenant("tenant", &self.tenant)?,
            target,
            engaged: self.engaged,
            justification: self.justification.to_vec(),
        };
        asked(&self.request_id, command)
    }
}

impl Ask for v1::SetRuntimeRulesRequest {
    fn ask(self) -> Asked {
        let command = ControlCommand::SetRuntimeRules {
            tenant: tenant("tenant", &self.tenant)?,
            environment: self.environment,
            source: bytes("source", &self.source, BUNDLE_BYTES_MAX)?,
        };
        asked(&self.request_id, command)
    }
}

impl Ask for v1::EnablePrincipalRequest {
    fn ask(self) -> Asked {
        let command =
            ControlCommand::EnablePrincipal { tenant: tenant("tenant", &self.tenant)?, subject: self.subject };
        asked(&self.request_id, command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "018bcfe5-6800-7909-8909-090909090909";

    fn switch(target: &str, name: &str) -> Asked {
        let (target, name) = (target.to_owned(), name.to_owned());
        let (request_id, tenant) = (ID.to_owned(), "acme".to_owned());
        v1::SetKillSwitchRequest { request_id, tenant, target, name, engaged: true, justification: Vec::new().into() }
            .ask()
    }

    #[test]
    fn a_kill_switch_stops_a_tenant_an_agent_or_a_tool() {
        assert!(switch("tenant", "").is_ok() && switch("agent", "a").is_ok() && switch("tool", "t").is_ok());
        for (target, name) in [("tenant", "acme"), ("agent", ""), ("tool", ""), ("", ""), ("Tool", "t")] {
            let error = switch(target, name).unwrap_err();
            assert!(error.message.starts_with("target is"), "{}", error.message);
        }
    }

    #[test]
    fn an_erasure_names_a_whole_commitment() {
        let erase = v1::ErasePayloadRequest {
            request_id: ID.to_owned(),
            tenant: "acme".to_owned(),
            commitment: vec![1; 31].into(),
            ..Default::default()
        };
        assert!(erase.ask().unwrap_err().message.starts_with("commitment has 31 bytes"));
    }
}
