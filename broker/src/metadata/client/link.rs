//! Finds the active controller and asks it.
//!
//! One connection is shared by all askers; whoever finds it dead throws it away, and the next one dials: the hinted leader first, else
//! the next voter in turn. Backs off between rounds that found nobody, and when controllers point at each other.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until, timeout_at},
};

use crate::metadata::{
    connection::{CallBody, Connection, ResponseBody},
    error::ControllerError,
    ids::ControllerId,
    rpc::{Ask, Reply, Request},
    wire::WireError,
};

const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug)]
pub struct Link {
    voters: BTreeMap<ControllerId, String>,
    attempt_timeout: Duration,
    route: Mutex<Route>,
}

#[derive(Debug, Default)]
struct Route {
    open: Option<Arc<Connection>>,
    last: Option<ControllerId>,
    hint: Option<ControllerId>,
}

impl Link {
    /// A link that has not dialled yet.
    pub fn new(voters: BTreeMap<ControllerId, String>, attempt_timeout: Duration) -> Self {
        Self { voters, attempt_timeout, route: Mutex::default() }
    }

    /// Asks whoever leads until somebody answers.
    ///
    /// # Errors
    /// What the controller answers; [`ControllerError::Timeout`] when nobody did in time, or when repeating could do harm.
    pub async fn ask<A: Ask>(&self, ask: A, patience: Duration) -> Result<A::Answer, ControllerError> {
        let patience_each = self.attempt_timeout.min(patience);
        self.ask_patiently(ask, patience_each, patience).await
    }

    /// As [`Link::ask`], with another limit for each attempt: for requests that the controller may keep waiting.
    ///
    /// # Errors
    /// As [`Link::ask`].
    pub async fn ask_patiently<A: Ask>(
        &self,
        ask: A,
        patience_each: Duration,
        patience: Duration,
    ) -> Result<A::Answer, ControllerError> {
        let deadline = Instant::now() + patience;
        let asked = self.ask_until_answered(ask.into_request(), patience_each);
        let reply = timeout_at(deadline, asked).await.map_err(|_| ControllerError::Timeout)??;
        A::answer(reply).ok_or_else(|| ControllerError::InvalidRequest("the controller answered something else".into()))
    }

    async fn ask_until_answered(&self, request: Request, patience_each: Duration) -> Result<Reply, ControllerError> {
        let mut backoff = BACKOFF_MIN;
        let mut hints_left = self.voters.len();
        loop {
            match self.attempt(&request, patience_each).await {
                Attempt::Answered(answer) => return answer,
                Attempt::Unknown if !is_repeatable(&request) => return Err(ControllerError::Timeout),
                Attempt::Elsewhere if hints_left > 0 => hints_left -= 1,
                Attempt::Unknown | Attempt::NotAsked | Attempt::Elsewhere => {
                    hints_left = self.voters.len();
                    sleep_until(Instant::now() + backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    async fn attempt(&self, request: &Request, patience: Duration) -> Attempt {
        let Ok((id, connection)) = self.connection().await else { return Attempt::NotAsked };
        match connection.call(CallBody::Broker(request.clone()), patience).await {
            Ok(ResponseBody::Broker(Err(ControllerError::NotController(hint)))) => {
                self.discard(&connection, hint).await;
                if hint.is_some_and(|hint| hint != id) { Attempt::Elsewhere } else { Attempt::NotAsked }
            }
            Ok(ResponseBody::Broker(answer)) => Attempt::Answered(answer),
            Ok(ResponseBody::Raft(_)) | Err(_) => {
                self.discard(&connection, None).await;
                Attempt::Unknown
            }
        }
    }

    async fn connection(&self) -> Result<(ControllerId, Arc<Connection>), WireError> {
        let mut route = self.route.lock().await;
        if let (Some(open), Some(id)) = (&route.open, route.last) {
            return Ok((id, Arc::clone(open)));
        }
        let id = route.next(&self.voters).ok_or(WireError::Unanswered("no voters are configured"))?;
        let address = self.voters.get(&id).ok_or(WireError::Unanswered("no such voter"))?;
        route.last = Some(id);
        let connection = Arc::new(Connection::open(address, self.attempt_timeout).await?);
        route.open = Some(Arc::clone(&connection));
        Ok((id, connection))
    }

    async fn discard(&self, connection: &Arc<Connection>, hint: Option<ControllerId>) {
        let mut route = self.route.lock().await;
        if route.open.as_ref().is_some_and(|open| Arc::ptr_eq(open, connection)) {
            route.open = None;
            route.hint = hint.filter(|hint| Some(*hint) != route.last);
        }
        connection.close();
    }
}

impl Route {
    fn next(&mut self, voters: &BTreeMap<ControllerId, String>) -> Option<ControllerId> {
        let hinted = self.hint.take().filter(|hint| voters.contains_key(hint));
        let after = self.last.and_then(|last| voters.keys().find(|id| **id > last).copied());
        hinted.or(after).or_else(|| voters.keys().next().copied())
    }
}

enum Attempt {
    Answered(Result<Reply, ControllerError>),
    /// Not done: another controller leads, and which one is known.
    Elsewhere,
    /// Not done, for certain.
    NotAsked,
    /// Perhaps done.
    Unknown,
}

fn is_repeatable(request: &Request) -> bool {
    match request {
        Request::Register(_)
        | Request::Heartbeat(_)
        | Request::FetchMetadata(_)
        | Request::AlterPartition(_)
        | Request::AllocateProducerIds(_)
        | Request::DescribeQuorum(_) => true,
        Request::CreateTopics(_)
        | Request::DeleteTopics(_)
        | Request::CreatePartitions(_)
        | Request::AlterConfigs(_)
        | Request::ElectLeaders(_)
        | Request::AlterReassignments(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voters() -> BTreeMap<ControllerId, String> {
        [100, 101, 102].into_iter().map(|id| (ControllerId(id), String::new())).collect()
    }

    #[test]
    fn voters_are_tried_in_turn_and_a_hint_goes_first() {
        let mut route = Route::default();
        let mut tried = Vec::new();
        for hint in [None, None, None, None, Some(101), Some(7)] {
            route.hint = hint.map(ControllerId);
            route.last = route.next(&voters());
            tried.push(route.last.unwrap().0);
        }
        assert_eq!(tried, [100, 101, 102, 100, 101, 102]);
    }

    #[tokio::test]
    async fn a_link_without_voters_times_out() {
        let link = Link::new(BTreeMap::new(), Duration::from_millis(10));
        let asked = link.ask(crate::metadata::rpc::DescribeQuorum {}, Duration::from_millis(30)).await;
        assert_eq!(asked, Err(ControllerError::Timeout));
    }
}
