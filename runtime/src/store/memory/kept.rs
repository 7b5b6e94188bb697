//! What is kept beside registrations, activations and runs, and what is told from all of it.

use std::{collections::HashSet, convert::Infallible, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::Records;
use crate::{
    Result,
    store::{
        DataChange, DataQuery, EnergyRow, LogQuery, Origin, Retention,
        data::{self, Refused},
        energy::hour_of,
        examination::Examined,
        log::Sources,
    },
};

impl Records {
    pub(super) fn prune(&mut self, keep: Retention) -> u64 {
        let recorded = self.runs.len() + self.events.len();
        let most = keep.most as usize;
        let mut newer = self.runs.len();
        self.runs.retain(|run| {
            newer -= 1;
            run.record.ended >= keep.before && newer < most
        });
        let mut newer = self.events.len();
        self.events.retain(|event| {
            newer -= 1;
            event.at >= keep.before && newer < most
        });
        self.energy
            .retain(|(hour, _), _| *hour >= hour_of(keep.before));
        let open: HashSet<_> = self
            .activations
            .iter()
            .map(|open| open.record.registration)
            .collect();
        self.registrations.retain(|kept| {
            let ended = kept.record.ended.is_some_and(|ended| ended < keep.before);
            kept.record.origin == Origin::Declared || !ended || open.contains(&kept.record.id)
        });
        (recorded - self.runs.len() - self.events.len()) as u64
    }

    pub(super) fn sources(&self, query: &LogQuery) -> Sources {
        let limit = match query.limit {
            0 => usize::MAX,
            limit => limit as usize,
        };
        let of_task = |task: &str| query.task.as_deref().is_none_or(|wanted| wanted == task);
        let recent = |at: Timestamp| query.since.is_none_or(|since| at >= since);
        let mut ended = HashSet::new();
        let runs: Vec<_> = self
            .runs
            .iter()
            .map(|run| (&run.record, ended.insert(run.record.activation)))
            .collect();
        Sources {
            events: newest(limit, &self.events, |event| {
                of_task(&event.task) && recent(event.at)
            }),
            runs: runs
                .into_iter()
                .rev()
                .filter(|(run, _)| of_task(&run.task) && recent(run.ended))
                .take(limit)
                .map(|(run, first)| (run.clone(), first))
                .collect(),
            open: self
                .activations
                .iter()
                .rev()
                .filter(|open| of_task(&open.record.task))
                .map(|open| {
                    let first = !ended.contains(&open.record.id);
                    (open.record.clone(), open.started, first)
                })
                .collect(),
        }
    }

    pub(super) fn data(&self, query: &DataQuery) -> Vec<(String, Value)> {
        let (DataQuery::Key(from) | DataQuery::Prefix(from)) = query;
        let wanted = |key: &str| match query {
            DataQuery::Key(wanted) => key == wanted,
            DataQuery::Prefix(prefix) => key.starts_with(prefix),
        };
        self.data
            .range::<String, _>(from..)
            .take_while(|(key, _)| wanted(key))
            .filter_map(|(key, text)| Some((key.clone(), serde_json::from_str(text).ok()?)))
            .collect()
    }

    pub(super) fn change_data(&mut self, changes: Vec<DataChange>) -> Result<bool> {
        match self.refusal(&changes) {
            Some(Refused::Differs(_)) => return Ok(false),
            Some(Refused::TooDeep(key)) => return Err(data::too_deep(&key)),
            None => {}
        }
        for change in changes {
            match change {
                DataChange::Set { key, value } => drop(self.data.insert(key, value.to_string())),
                DataChange::Remove { key } => drop(self.data.remove(&key)),
                DataChange::Compare { .. } => {}
            }
        }
        Ok(true)
    }

    pub(super) fn refusal(&self, changes: &[DataChange]) -> Option<Refused> {
        let kept = |key: &str| Ok::<_, Infallible>(self.data.get(key).cloned());
        match data::refusal(changes, kept) {
            Ok(refused) => refused,
            Err(never) => match never {},
        }
    }

    pub(super) fn use_energy(&mut self, task: &str, at: Timestamp, cpu: Duration, battery: bool) {
        let used = self
            .energy
            .entry((hour_of(at), task.to_owned()))
            .or_default();
        used.cpu += cpu;
        if battery {
            used.on_battery += cpu;
        }
    }

    pub(super) fn energy(&self, since: Timestamp) -> Vec<EnergyRow> {
        self.energy
            .range((hour_of(since), String::new())..)
            .map(|((hour, task), used)| EnergyRow {
                task: task.clone(),
                hour: *hour,
                cpu: used.cpu,
                on_battery: used.on_battery,
            })
            .collect()
    }

    pub(super) fn examined(&self) -> Examined {
        let mut outcomes = HashSet::new();
        let over = self.runs.iter().filter(|run| run.record.retry_at.is_none());
        let twice: HashSet<_> = over
            .map(|run| run.record.activation)
            .filter(|id| {
                !outcomes.insert(*id) || self.activations.iter().any(|open| open.record.id == *id)
            })
            .collect();
        Examined {
            registrations: self.all().cloned().collect(),
            activations: self
                .activations
                .iter()
                .map(|open| open.record.clone())
                .collect(),
            runs: self.runs.len() as u64,
            events: self.events.len() as u64,
            keys: self.data.len() as u64,
            ended_twice: twice.len() as u64,
        }
    }
}

fn newest<T: Clone>(limit: usize, all: &[T], wanted: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter()
        .rev()
        .filter(|one| wanted(one))
        .take(limit)
        .cloned()
        .collect()
}
