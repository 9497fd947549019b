//! How many connections are served at once, and requests that count as such.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A cap that may change while connections are open. Cheap: it is asked once a connection.
#[derive(Debug)]
pub(crate) struct Cap {
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Places to be given up by connections that were open when the cap shrank.
    owed: usize,
}

/// One open connection's place.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    cap: Arc<Cap>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Cap {
    /// Lets `limit` connections be open.
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(limit)),
            state: Mutex::new(State { limit, owed: 0 }),
        }
    }

    /// Practically no cap.
    pub(crate) fn unlimited() -> Self {
        Self::new(Semaphore::MAX_PERMITS)
    }

    /// How many may be open.
    pub(crate) fn limit(&self) -> usize {
        self.lock().limit
    }

    /// How many more may be open.
    pub(crate) fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// Lets `limit` be open from now on. Connections beyond it stay; no new one comes until they
    /// are fewer.
    pub(crate) fn resize(&self, limit: usize) {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let mut state = self.lock();
        if limit > state.limit {
            let more = limit - state.limit;
            let settled = more.min(state.owed);
            state.owed -= settled;
            self.places.add_permits(more - settled);
        } else {
            let fewer = state.limit - limit;
            state.owed += fewer - self.places.forget_permits(fewer);
        }
        state.limit = limit;
    }

    /// Waits for a place. Cancel safe.
    pub(crate) async fn place(self: &Arc<Self>) -> Option<ConnectionPermit> {
        // Never closed, so never `None`.
        let permit = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(self.permit(permit))
    }

    /// A place, if there is one.
    pub(crate) fn try_place(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(self.permit(permit))
    }

    fn permit(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> ConnectionPermit {
        ConnectionPermit {
            cap: Arc::clone(self),
            permit: Some(permit),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.cap.lock();
        if let Some(permit) = self.permit.take_if(|_| state.owed > 0) {
            state.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fill(cap: &Arc<Cap>) -> Vec<ConnectionPermit> {
        let mut places = Vec::new();
        while cap.places.available_permits() > 0 {
            places.push(cap.place().await.unwrap());
        }
        places
    }

    #[tokio::test]
    async fn a_cap_grows_at_once_and_shrinks_as_connections_leave() {
        let cap = Arc::new(Cap::new(2));
        let mut open = fill(&cap).await;
        assert_eq!(open.len(), 2);
        cap.resize(5);
        open.extend(fill(&cap).await);
        assert_eq!((open.len(), cap.limit()), (5, 5));
        cap.resize(3);
        open.truncate(3);
        assert_eq!(fill(&cap).await.len(), 0, "two left, and two were too many");
        open.truncate(2);
        assert_eq!(fill(&cap).await.len(), 1);
    }

    #[tokio::test]
    async fn a_cap_that_shrinks_and_grows_again_is_what_it_was() {
        let cap = Arc::new(Cap::new(4));
        let open = fill(&cap).await;
        cap.resize(1);
        cap.resize(4);
        drop(open);
        assert_eq!(fill(&cap).await.len(), 4);
    }
}
