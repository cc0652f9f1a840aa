//! The service `Signals`: what those who watch agents report.

use assent_proto::v1;
use assent_proto::v1::signals_server::Signals;

use super::Api;
use super::commands::{Answer, command_service};

command_service! {
    /// Serves `Signals`.
    SignalsService: Signals by signals, command -> CommandResponse {
        report: ReportSignalRequest,
    } {}
}
