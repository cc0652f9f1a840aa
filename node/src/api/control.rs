//! The service `Control`: switches, settings, erasure and versions.

use assent_kernel::command::{CommandBody, ControlCommand};
use assent_kernel::limits::KERNEL_VERSIONS;
use assent_ledger::ids::NodeId;
use assent_proto::v1;
use assent_proto::v1::control_server::Control;
use openraft::async_runtime::watch::WatchReceiver;
use tonic::{Request, Response};

use super::commands::{Answer, command_service};
use super::{Api, convert};

command_service! {
    /// Serves `Control`.
    ControlService: Control by control, command -> CommandResponse {
        erase_payload: ErasePayloadRequest,
        configure_tenant: ConfigureTenantRequest,
        set_tenant_disabled: SetTenantDisabledRequest,
        set_kill_switch: SetKillSwitchRequest,
        enable_principal: EnablePrincipalRequest,
        set_runtime_rules: SetRuntimeRulesRequest,
    } {
        async fn activate_kernel_version(
            &self,
            request: Request<v1::ActivateKernelVersionRequest>,
        ) -> Answer<v1::CommandResponse> {
            // Asked before the command is made: who knows the version is part of it. A follower's answer is thrown away.
            let supports = self.api.members_that_know(request.get_ref().version).await;
            let make = |_: &Api, asked: v1::ActivateKernelVersionRequest, _: &_| {
                let command = ControlCommand::ActivateKernelVersion { version: asked.version, supports };
                Ok((convert::request_id(&asked.request_id)?, CommandBody::Control(Box::new(command))))
            };
            let at_leader = |channel, asked| async move {
                super::forward::control(channel).activate_kernel_version(asked).await
            };
            let done = self.api.command_as(request, make, Api::recorded, at_leader).await;
            done.map(Response::new).map_err(|e| self.api.failed(e))
        }
    }
}

impl Api {
    /// The members that say that they know a version of the kernel; one that does not answer does not say so.
    async fn members_that_know(&self, version: u32) -> Vec<NodeId> {
        let members: Vec<(u64, String)> = {
            let metrics = self.node.raft().metrics();
            let metrics = metrics.borrow_watched();
            metrics.membership_config.nodes().map(|(id, member)| (*id, member.client_address.clone())).collect()
        };
        let asked = members.into_iter().map(|(id, address)| async move {
            let knows = if id == self.node.id().0 {
                KERNEL_VERSIONS.contains(&version)
            } else {
                match self.forwarder.cluster(&address) {
                    Ok(mut client) => {
                        let answer = self.forwarder.answer(client.info(v1::ClusterInfoRequest {})).await;
                        answer.is_ok_and(|info| info.get_ref().kernel_versions.contains(&version))
                    }
                    Err(_) => false,
                }
            };
            knows.then_some(NodeId(id))
        });
        futures::future::join_all(asked).await.into_iter().flatten().collect()
    }
}
