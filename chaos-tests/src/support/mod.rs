//! What the tests share: seeded decisions, real commands, a cluster in one process, and the oracle that judges it.

pub mod commands;
pub mod dice;
pub mod lone_store;
pub mod oracle;
pub mod power_loss;
pub mod raw_client;
pub mod real_cluster;
pub mod sim_cluster;
pub mod sim_network;
pub mod test_node;
pub mod transfer;
