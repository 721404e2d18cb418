//! The handler's processes: one for the app, or one for each scaling group.

mod command_line;
mod instance;
mod output;
mod process;
mod readiness;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use futures::future::join_all;

pub(crate) use command_line::Launch;
pub(crate) use instance::{Instance, InstanceSetup, reserve, start_variables};
pub(crate) use output::OutputLog;
pub(crate) use process::Process;
pub(crate) use readiness::wait as wait_until_ready;

use crate::function::{Function, Trigger};
use crate::options::Instances;

/// Every handler process of the app by the name of its group.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    groups: BTreeMap<String, Arc<Instance>>,
    apart: bool,
}

impl Handlers {
    /// Starts what the functions need: nothing when there is none.
    pub(crate) fn start(
        functions: &[Arc<Function>],
        instances: Instances,
        start: impl Fn(&str) -> std::io::Result<Arc<Instance>>,
    ) -> std::io::Result<Self> {
        let mut handlers = Self {
            groups: BTreeMap::new(),
            apart: instances == Instances::PerScalingGroup,
        };
        for function in functions {
            let group = handlers.group(function);
            if let Entry::Vacant(vacant) = handlers.groups.entry(group) {
                let instance = start(vacant.key())?;
                vacant.insert(instance);
            }
        }
        Ok(handlers)
    }

    /// The scaling group of a function on Flex Consumption: all HTTP functions together, all blob functions together, each
    /// timer by itself.
    fn group(&self, function: &Function) -> String {
        if !self.apart {
            return "app".to_owned();
        }
        match function.trigger {
            Trigger::Http(_) => "http".to_owned(),
            Trigger::Blob(_) => "blob".to_owned(),
            Trigger::Timer(_) => format!("function:{}", function.name),
        }
    }

    /// The process that serves the function.
    pub(crate) fn of(&self, function: &Function) -> Option<&Arc<Instance>> {
        self.groups.get(&self.group(function))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.groups.values()
    }

    /// Kills every process and waits until they are gone.
    pub(crate) async fn stop(&self) {
        join_all(self.iter().map(|instance| instance.stop())).await;
    }
}
