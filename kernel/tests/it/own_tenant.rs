//! Whatever else a credential may do, it does in its own tenant; only an operator acts in all of them.

use super::messages;
use crate::support::runs::run;
use crate::support::*;
use assent_kernel::command::{
    AgentKeyRotation, Caller, CommandBody, ControlCommand, GrantCommand, KillTarget, MemoryCommand, MemoryQuarantine,
    MessageCommand, NewAgentKey, OfferedSource, Role, RunCommand,
};
use assent_kernel::refusal::Refusal;
use assent_kernel::state::keys::RunMode;

/// One command of every kind that names a tenant, about this one.
fn commands(of: &str) -> Vec<CommandBody> {
    let key = |key_id: &str| NewAgentKey {
        tenant: tenant(of),
        ..messages::new_key("agent-1", key_id, &messages::seed_of("agent-1"))
    };
    let (lease, run_id, justification) = ("lease".to_owned(), "r1".to_owned(), b"odd".to_vec());
    vec![
        register(of, "agent-9"),
        CommandBody::DisablePrincipal { tenant: tenant(of), subject: "agent-1".into() },
        CommandBody::RevokeCredential { tenant: tenant(of), name: "key-agent-1".into() },
        credential_of(&agent(of, Some("agent-1"))),
        CommandBody::OfferBundle(OfferedSource { tenant: tenant(of), source: b"x".to_vec() }),
        activate(of),
        control(ControlCommand::KillSwitch {
            tenant: tenant(of),
            target: KillTarget::Tenant,
            engaged: true,
            justification: justification.clone(),
        }),
        messages::message(MessageCommand::RegisterKey(key("k1"))),
        messages::message(MessageCommand::RotateKey(AgentKeyRotation {
            new: key("k2"),
            old_key_id: "k1".into(),
            signature: [0; 64],
        })),
        CommandBody::Grant(Box::new(GrantCommand::Revoke {
            tenant: tenant(of),
            subject: None,
            lease,
            justification: justification.clone(),
        })),
        CommandBody::Memory(Box::new(MemoryCommand::Quarantine(MemoryQuarantine {
            tenant: tenant(of),
            environment: "prod".into(),
            namespace: "notes".into(),
            key: "todo".into(),
            quarantined: true,
            justification: justification.clone(),
        }))),
        run(RunCommand::SetRunMode {
            tenant: tenant(of),
            run_id: run_id.clone(),
            mode: RunMode::Restricted,
            justification: justification.clone(),
        }),
        run(RunCommand::ReleaseQuarantine { tenant: tenant(of), run_id, justification }),
    ]
}

#[test]
fn an_admin_reaches_into_no_other_tenant() {
    let mut world = World::ready(61);
    for body in commands("acme") {
        assert_eq!(world.refused(admin("zeta"), body.clone()), Refusal::OtherTenant, "{body:?}");
    }
}

#[test]
fn a_tenant_that_is_disabled_or_unknown_gets_neither_credentials_nor_bundles() {
    let mut world = World::ready(62);
    let disabled = ControlCommand::SetTenantDisabled { tenant: tenant("acme"), disabled: true };
    world.must(operator(), control(disabled));
    for (of, refusal) in [("acme", Refusal::TenantDisabled), ("nobody", Refusal::TenantUnknown)] {
        let another = Caller { role: Role::TenantAdmin, credential: "another".into(), ..admin(of) };
        let source = format!("{BUNDLE}# another one\n").into_bytes();
        for body in [
            credential_of(&another),
            CommandBody::RevokeCredential { tenant: tenant(of), name: "key-agent-1".into() },
            CommandBody::OfferBundle(OfferedSource { tenant: tenant(of), source }),
            activate(of),
        ] {
            assert_eq!(world.refused(operator(), body.clone()), refusal, "{of}: {body:?}");
        }
    }
}
