//! The threads that compute: one pool for each number of them, for as long as the process lives.

use std::collections::HashMap;
use std::process;
use std::sync::{LazyLock, Mutex, PoisonError};

use dualprop::compute::Pool;

use crate::error::{OrRaise, Result};

/// Keyed by the process too: the threads of a pool do not survive a fork, and a child that waited for them would wait for ever.
static POOLS: LazyLock<Mutex<HashMap<(u32, usize), Pool>>> = LazyLock::new(Mutex::default);

/// The pool of so many threads; 0: one for each core.
pub(crate) fn pool(threads: usize) -> Result<Pool> {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (process::id(), threads);
    if let Some(pool) = pools.get(&key) {
        return Ok(pool.clone());
    }
    let pool = Pool::new(threads).or_raise()?;
    pools.insert(key, pool.clone());
    Ok(pool)
}
