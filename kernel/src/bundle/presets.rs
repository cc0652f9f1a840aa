//! Bundles that ship with the kernel, to start from or to copy from.

/// A bundle that ships with the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name, as the bundle itself says.
    pub name: &'static str,
    /// One line saying what it is for.
    pub description: &'static str,
    /// Its source.
    pub source: &'static str,
}

/// The presets, in order of their names.
pub const fn presets() -> &'static [Preset] {
    &[
        Preset {
            name: "contract-example",
            description: "a frozen contract over mail, payments and deletions, with sums and counts across calls",
            source: include_str!("../../presets/contract-example.yaml"),
        },
        Preset {
            name: "deny-all",
            description: "denies every call",
            source: include_str!("../../presets/deny-all.yaml"),
        },
        Preset {
            name: "safe-defaults",
            description: "what no agent should do, for an operator's baseline",
            source: include_str!("../../presets/safe-defaults.yaml"),
        },
        Preset {
            name: "safe-research",
            description: "an agent that reads the web, its folder and documents, and sends nothing",
            source: include_str!("../../presets/safe-research.yaml"),
        },
        Preset {
            name: "workspace-assistant",
            description: "an agent that works in a folder and asks before it sends, deletes or runs anything",
            source: include_str!("../../presets/workspace-assistant.yaml"),
        },
    ]
}
