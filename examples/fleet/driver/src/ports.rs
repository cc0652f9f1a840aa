//! Free ports on loopback for the nodes.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};

use crate::error::{DemoError, Result};

/// Below the ports that Linux gives to outgoing connections (32768 and up): a node that is restarted finds its port free.
const FIRST: u16 = 10_000;
const LAST: u16 = 31_999;

/// Different ports that nobody listens on just now, from a random place on, so that tests that run together rarely meet.
pub fn free(count: usize) -> Result<Vec<u16>> {
    let width = u64::from(LAST - FIRST) + 1;
    let start = RandomState::new().build_hasher().finish() % width;
    // Held until all are found: no port is given twice.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for offset in 0..width {
        if ports.len() == count {
            break;
        }
        let Ok(port) = u16::try_from(u64::from(FIRST) + (start + offset) % width) else { continue };
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push(listener);
            ports.push(port);
        }
    }
    if ports.len() < count {
        return Err(DemoError::new(format!("fewer than {count} ports from {FIRST} to {LAST} are free on 127.0.0.1")));
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ports_are_different_and_can_be_listened_on() {
        let mut ports = free(12).unwrap();
        for port in &ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap();
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 12);
    }
}
