//! Any bytes as a command, a batch and a JSON text: what decodes encodes to the same bytes, and its shape is checked.
#![no_main]

use assent_kernel::admit;
use assent_kernel::command::{Batch, Command, CommandBody, offered_sources};
use assent_kernel::value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(command) = Command::decode(bytes) {
        assert_eq!(command.encode(), bytes);
        checked(&command);
    }
    let offered = offered_sources(bytes);
    if let Ok(batch) = Batch::decode(bytes) {
        assert_eq!(batch.encode(), bytes);
        let sources = batch.commands.iter().filter_map(|command| match &command.body {
            CommandBody::OfferBundle(offer) => Some(offer.source.as_slice()),
            _ => None,
        });
        assert!(sources.eq(offered));
        batch.commands.iter().for_each(checked);
    }
    if let Ok(value) = value::parse(bytes) {
        assert_eq!(value::parse(&value.to_json()).as_ref(), Ok(&value));
    }
});

fn checked(command: &Command) {
    assert_eq!(admit::check(command), admit::check(command));
    assert_eq!(command.content_hash(), command.content_hash());
    assert!(!command.principal().is_empty());
}
