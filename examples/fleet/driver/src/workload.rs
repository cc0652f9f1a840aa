//! The recorded calls: reading `workload.jsonl`, and dealing the runs out to lanes that keep each run's order.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;

use assent_client::{Client, v1};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{DemoError, Result};

/// One recorded call.
#[derive(Debug, Deserialize)]
pub struct Call {
    /// The tenant.
    pub tenant: String,
    /// The credential to call with.
    pub token_name: String,
    /// The agent.
    pub subject: String,
    /// The environment.
    pub environment: String,
    /// The run; its calls are sent in the order of the file.
    pub run_id: String,
    /// The trace.
    pub trace_id: String,
    /// What the agent says about itself.
    pub agent: Agent,
    /// The tool.
    pub tool: String,
    /// The arguments, byte for byte as they stand in the file.
    pub inputs: Box<RawValue>,
    /// `allow` or `deny`: what the scenario's author expects.
    pub expect: String,
    /// The first reason that the author expects.
    pub expect_code: String,
    /// The scenario's name.
    pub scenario: String,
}

/// What an agent says about itself.
#[derive(Debug, Deserialize)]
pub struct Agent {
    /// Its instance.
    pub agent_instance_id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One call that is to be sent: a recorded call with its own request id.
#[derive(Debug)]
pub struct Planned {
    /// Which recorded call, by line from 0.
    pub line: usize,
    /// Made once; every retry carries it.
    pub request_id: String,
    run: String,
}

/// The calls of one drive.
#[derive(Debug)]
pub struct Workload {
    calls: Vec<Call>,
    planned: Vec<Planned>,
}

impl Workload {
    /// Reads a file and plans `count` calls (0: as many as there are). Beyond the end of the file it begins again, with runs of its
    /// own: those of pass 0 are called as in the file, those of pass `n` have `.n` behind it. `first_pass` is where to begin, so that
    /// several drives of one ledger have different runs.
    pub fn read(path: &Path, count: usize, first_pass: u64) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|e| DemoError::at(path, e))?;
        let mut calls = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let call = serde_json::from_str(line);
            calls.push(call.map_err(|e| DemoError::at(path, format!("line {}: {e}", number + 1)))?);
        }
        if calls.is_empty() {
            return Err(DemoError::at(path, "no calls"));
        }
        Self::plan(calls, count, first_pass)
    }

    fn plan(calls: Vec<Call>, count: usize, first_pass: u64) -> Result<Self> {
        let count = if count == 0 { calls.len() } else { count };
        let mut planned = Vec::with_capacity(count);
        for (position, (line, call)) in calls.iter().enumerate().cycle().take(count).enumerate() {
            let pass = first_pass + (position / calls.len()) as u64;
            let run = if pass == 0 { call.run_id.clone() } else { format!("{}.{pass}", call.run_id) };
            planned.push(Planned { line, request_id: Client::request_id()?, run });
        }
        Ok(Workload { calls, planned })
    }

    /// How many calls are planned.
    pub fn len(&self) -> usize {
        self.planned.len()
    }

    /// Whether nothing is planned.
    pub fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    /// The planned calls.
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// The planned call at a position, and what was recorded of it.
    pub fn get(&self, position: usize) -> Option<(&Planned, &Call)> {
        let planned = self.planned.get(position)?;
        Some((planned, self.calls.get(planned.line)?))
    }

    /// The request of the planned call at a position; the same bytes each time.
    pub fn request(&self, position: usize) -> Option<v1::EvaluateRequest> {
        let (planned, call) = self.get(position)?;
        Some(v1::EvaluateRequest {
            request_id: planned.request_id.clone(),
            environment: call.environment.clone(),
            run_id: planned.run.clone(),
            trace_id: call.trace_id.clone(),
            agent: Some(v1::Agent {
                instance_id: call.agent.agent_instance_id.clone(),
                name: call.agent.name.clone(),
                version: call.agent.version.clone(),
            }),
            subject: call.subject.clone(),
            tool: call.tool.clone(),
            content_type: String::new(),
            inputs: call.inputs.get().as_bytes().to_vec().into(),
            ..v1::EvaluateRequest::default()
        })
    }

    /// Deals the runs of each credential out to `per_credential` lanes, in turn. Every planned call is in exactly one lane, and a
    /// run is never split.
    pub fn lanes(&self, per_credential: usize) -> Vec<Lane> {
        let mut runs: BTreeMap<&str, Vec<VecDeque<usize>>> = BTreeMap::new();
        let mut known: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (position, planned) in self.planned.iter().enumerate() {
            let Some(call) = self.calls.get(planned.line) else { continue };
            let of_credential = runs.entry(&call.token_name).or_default();
            let place = *known.entry((&call.token_name, &planned.run)).or_insert(of_credential.len());
            match of_credential.get_mut(place) {
                Some(run) => run.push_back(position),
                None => of_credential.push(VecDeque::from([position])),
            }
        }
        let mut lanes = Vec::new();
        for (credential, runs) in runs {
            let mut dealt = vec![VecDeque::new(); per_credential.clamp(1, runs.len())];
            let count = dealt.len();
            for (number, run) in runs.into_iter().enumerate() {
                if let Some(lane) = dealt.get_mut(number % count) {
                    lane.push_back(run);
                }
            }
            lanes.extend(dealt.into_iter().map(|runs| Lane { credential: credential.to_owned(), runs }));
        }
        lanes
    }
}

/// Runs of one credential that are sent by one worker.
#[derive(Debug)]
pub struct Lane {
    /// The credential to call with.
    pub credential: String,
    runs: VecDeque<VecDeque<usize>>,
}

impl Lane {
    /// The next calls to send together: the next one of each of the first `most` runs, so that no two are of one run. Empty at the
    /// end. Ask again only after these have been decided.
    pub fn next(&mut self, most: usize) -> Vec<usize> {
        let calls = self.runs.iter_mut().take(most.max(1)).filter_map(VecDeque::pop_front).collect();
        self.runs.retain(|run| !run.is_empty());
        calls
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn calls() -> Vec<Call> {
        let call = |n: usize| {
            let (credential, run) = (["acme/a", "acme/b"][n % 2], format!("run{}", n % 14));
            let text = format!(
                r#"{{"tenant":"acme","token_name":"{credential}","subject":"s","environment":"prod","run_id":"{run}",
                "trace_id":"t","agent":{{"agent_instance_id":"i","name":"n","version":"1"}},"tool":"t{n}",
                "inputs":{{"b": 1,"a":{n}}},"expect":"allow","expect_code":"X","scenario":"s"}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        (0..100).map(call).collect()
    }

    #[test]
    fn lanes_hold_every_call_once_and_keep_each_runs_order() {
        for (count, per_credential, most) in [(100, 3, 4), (250, 2, 1), (100, 99, 32), (1, 1, 1)] {
            let workload = Workload::plan(calls(), count, 0).unwrap();
            let mut seen = Vec::new();
            for mut lane in workload.lanes(per_credential) {
                let mut last: BTreeMap<String, usize> = BTreeMap::new();
                loop {
                    let round = lane.next(most);
                    if round.is_empty() {
                        break;
                    }
                    assert!(round.len() <= most);
                    let mut runs = Vec::new();
                    for position in round {
                        let (planned, call) = workload.get(position).unwrap();
                        assert_eq!(call.token_name, lane.credential);
                        assert!(last.insert(planned.run.clone(), position).is_none_or(|before| before < position));
                        runs.push(planned.run.clone());
                        seen.push(position);
                    }
                    runs.sort();
                    runs.dedup();
                    assert!(runs.len() <= most, "no run twice in a round");
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_run_is_in_two_lanes() {
        let workload = Workload::plan(calls(), 200, 0).unwrap();
        let mut owner: BTreeMap<String, usize> = BTreeMap::new();
        for (number, mut lane) in workload.lanes(3).into_iter().enumerate() {
            for position in std::iter::from_fn(|| Some(lane.next(5)).filter(|r| !r.is_empty())).flatten() {
                let run = workload.get(position).unwrap().0.run.clone();
                assert_eq!(*owner.entry(run).or_insert(number), number);
            }
        }
    }

    #[test]
    fn requests_are_the_same_each_time_and_ids_differ() {
        let run = |workload: &Workload, position| workload.request(position).unwrap().run_id;
        let workload = Workload::plan(calls(), 150, 0).unwrap();
        assert_eq!(workload.request(7), workload.request(7));
        assert_eq!(workload.request(7).unwrap().inputs.as_ref(), br#"{"b": 1,"a":7}"#, "the file's own bytes");
        let mut ids: Vec<&str> = workload.planned().iter().map(|p| p.request_id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 150);
        assert_eq!((run(&workload, 7), run(&workload, 107)), ("run7".to_owned(), "run7.1".to_owned()));
        let later = Workload::plan(calls(), 150, 5).unwrap();
        assert_eq!((run(&later, 7), run(&later, 107)), ("run7.5".to_owned(), "run7.6".to_owned()));
    }
}
