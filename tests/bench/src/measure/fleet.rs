//! Many dev stacks, each in a namespace of its own.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use kube::api::ListParams;
use obstack_api::{ConditionStatus, ConditionType, ObservabilityStack};

use crate::{
    cluster::wait,
    error::{Doing, Error},
    world::World,
};

const PARALLEL: usize = 4;

/// Many dev stacks.
#[derive(Debug, Default)]
pub struct Fleet {
    size: u32,
}

impl Fleet {
    /// The namespace of a stack, counted from 0.
    pub fn namespace(index: u32) -> String {
        format!("bench-{index:04}")
    }

    /// Number of stacks.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Makes stacks until there are so many and all are ready. Returns how long that took.
    pub async fn grow(&mut self, world: &World, size: u32) -> Result<Duration, Error> {
        let began = Instant::now();
        let make = async |index: u32| {
            let namespace = Self::namespace(index);
            world.make_namespace(&namespace).await?;
            world.cluster.make_stack(&world.samples.dev(&namespace)?).await
        };
        let new = stream::iter(self.size..size).map(make).buffer_unordered(PARALLEL);
        new.try_collect::<()>().await?;
        self.size = self.size.max(size);
        let limit = Duration::from_secs(120 + 10 * u64::from(size));
        let stacks = world.cluster.stacks("");
        let stacks = kube::Api::<ObservabilityStack>::all(stacks.into_client());
        let wanted = usize::try_from(self.size).unwrap_or(usize::MAX);
        wait(&format!("{wanted} stacks are ready"), limit, async || {
            let list = stacks.list(&ListParams::default()).await.doing(|| "list stacks".to_owned())?;
            let ready = list.items.iter().filter(|stack| is_ready(stack)).count();
            if ready < wanted {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(if ready >= wanted { Ok(()) } else { Err(format!("{ready} are")) })
        })
        .await?;
        Ok(began.elapsed())
    }
}

fn is_ready(stack: &ObservabilityStack) -> bool {
    let ready = stack.status.as_ref().and_then(|status| {
        status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready)
    });
    ready.is_some_and(|ready| ready.status == ConditionStatus::True)
}
