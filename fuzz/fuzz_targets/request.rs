//! Any bytes as a command, a batch and a JSON text: what decodes encodes to something that decodes to the same.
#![no_main]

use assent_kernel::command::{Batch, Command};
use assent_kernel::value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(command) = Command::decode(bytes) {
        assert_eq!(Command::decode(&command.encode()).as_ref(), Ok(&command));
    }
    if let Ok(batch) = Batch::decode(bytes) {
        assert_eq!(Batch::decode(&batch.encode()).as_ref(), Ok(&batch));
    }
    if let Ok(value) = value::parse(bytes) {
        assert_eq!(value::parse(&value.to_json()).as_ref(), Ok(&value));
    }
});
