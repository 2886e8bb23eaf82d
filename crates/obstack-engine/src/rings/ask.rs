//! One page: asked, and read as far as it is worth it.

use std::time::Duration;

use obstack_core::{
    reach::{Door, Reply},
    rings::{self, RingHealth, RingToAsk, Verdict, Why},
};

use crate::reach::{Ask, Reach};

/// Longest time that one page may take, from connecting to its last byte.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of the largest page that is read: a ring of some 700 members with 512 tokens each.
pub const LARGEST_PAGE: usize = 4 << 20;

pub(super) async fn ask(reach: &Reach, page: &RingToAsk) -> RingHealth {
    let door = Door { service: page.service.clone(), namespace: page.namespace.clone(), port: page.port };
    let ask =
        Ask { door: &door, path: &page.path, body: None, limit: LARGEST_PAGE, deadline: REQUEST_DEADLINE };
    let why = match reach.ask(&ask).await {
        Ok(Reply { status: 200, body }) => return rings::read(page, &body),
        Ok(Reply { status, .. }) => Why::Answered { status },
        Err(silence) => silence.into(),
    };
    RingHealth { asked: page.clone(), verdict: Verdict::Unknown(why) }
}
