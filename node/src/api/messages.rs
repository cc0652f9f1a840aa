//! The service `Messages`: messages between agents, and their keys.

use assent_proto::v1;
use assent_proto::v1::messages_server::Messages;

use super::Api;
use super::commands::{Answer, command_service};

command_service! {
    /// Serves `Messages`.
    MessagesService: Messages by messages, ruled -> RulingResponse {
        record: RecordMessageRequest,
        register_key: RegisterAgentKeyRequest,
        rotate_key: RotateAgentKeyRequest,
    } {}
}
