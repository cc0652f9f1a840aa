//! The services `Capabilities` and `Approvals`: what is given for a time, and what people answer.

use assent_proto::v1;
use assent_proto::v1::approvals_server::Approvals;
use assent_proto::v1::capabilities_server::Capabilities;

use super::Api;
use super::commands::{Answer, command_service};

command_service! {
    /// Serves `Capabilities`.
    CapabilitiesService: Capabilities by capabilities, ruled -> RulingResponse {
        request: RequestCapabilityRequest,
        delegate: DelegateRequest,
        revoke: RevokeCapabilityRequest,
    } {}
}

command_service! {
    /// Serves `Approvals`.
    ApprovalsService: Approvals by approvals, ruled -> RulingResponse {
        resolve: ResolveApprovalRequest,
    } {}
}
