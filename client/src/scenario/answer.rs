//! What a step came to, in words that a live node and a kernel in this process share.

use std::collections::BTreeMap;

/// The answer to a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Why nothing was recorded, by the refusal's name.
    pub refusal: Option<String>,
    /// The verdict, if something was decided.
    pub verdict: Option<String>,
    /// What is enforced.
    pub effective: Option<String>,
    /// The reasons' names, in order.
    pub codes: Vec<String>,
    /// The position of the decision, or of the command's first entry.
    pub seq: Option<u64>,
    /// The decision's id, or that of whatever else was decided.
    pub id: Option<String>,
    /// The run.
    pub run_id: Option<String>,
    /// The approval that was opened.
    pub approval: Option<String>,
    /// The salt of the request's commitment.
    pub request_salt: Vec<u8>,
    /// Hash of the declaration of the tool that may run, 32 bytes or none.
    pub tool_schema: Vec<u8>,
    /// Whether it is recorded without being enforced.
    pub observe: bool,
    /// Until when it can be redeemed, as entries state times; nothing when it cannot.
    pub token_expires: Option<String>,
    /// The only executor that may redeem it.
    pub audience: Option<String>,
    /// What the enforcement point has to do besides: the kind, `!` when the call must not run without it, and the parameters.
    pub obligations: Vec<String>,
    /// What may run: the call, or what replaces it. Filled in by the driver, which knows what it asked.
    pub call: Option<Box<EvaluatedCall>>,
    /// What a read of memory gave out.
    pub value: Option<Vec<u8>>,
    /// When it was answered, by the driver's clock, in microseconds since 1970.
    pub at: u64,
    /// Whether it repeats an earlier answer.
    pub replayed: bool,
    /// What else was said, by name.
    pub details: BTreeMap<String, String>,
}

/// A call as it was asked for, as far as its request's hash binds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EvaluatedCall {
    /// The environment.
    pub environment: String,
    /// Whose call.
    pub subject: String,
    /// On whose behalf.
    pub on_behalf_of: Vec<String>,
    /// The tool.
    pub tool: String,
    /// Media type.
    pub content_type: String,
    /// The exact bytes.
    pub inputs: Vec<u8>,
}

/// A run as the state has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunState {
    /// Its mode.
    pub mode: String,
    /// Its counters by name.
    pub counters: BTreeMap<String, u32>,
    /// The sources that touched it, sorted.
    pub taint: Vec<String>,
    /// Executions that were started and not completed.
    pub open_intents: u32,
    /// The mode that observe mode would have enforced.
    pub shadow_mode: String,
    /// Strikes that observe mode did not enforce.
    pub shadow_strikes: u32,
}
