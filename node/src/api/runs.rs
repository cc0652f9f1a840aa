//! The service `Runs`: a run's mode, its taint, and its steps besides calls.

use assent_proto::v1;
use assent_proto::v1::runs_server::Runs;

use super::Api;
use super::commands::{Answer, command_service};

command_service! {
    /// Serves `Runs`.
    RunsService: Runs by runs, command -> CommandResponse {
        set_mode: SetRunModeRequest,
        release: ReleaseQuarantineRequest,
        attach_taint: AttachTaintRequest,
        record_step: RecordStepRequest,
    } {}
}
