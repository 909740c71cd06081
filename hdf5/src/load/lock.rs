//! The lock of an HDF5 that has none: one for all tables, which one thread may take again.

#![allow(unsafe_code)]

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

static HELD: Mutex<Held> = Mutex::new(Held { by: None, times: 0 });
static FREE: Condvar = Condvar::new();

struct Held {
    by: Option<usize>,
    times: usize,
}

/// A number that this thread has and no other that lives.
fn me() -> usize {
    thread_local!(static PLACE: u8 = const { 0 });
    // Without a destructor it is there as long as the thread is.
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) unsafe extern "C" fn enter() {
    lock();
}

pub(super) unsafe extern "C" fn leave() {
    unlock();
}

/// The lock, held until this is dropped.
pub(super) struct Hold(());

pub(super) fn hold() -> Hold {
    lock();
    Hold(())
}

impl Drop for Hold {
    fn drop(&mut self) {
        unlock();
    }
}

fn lock() {
    let me = me();
    let mut held = held();
    while held.by.is_some_and(|by| by != me) {
        held = FREE.wait(held).unwrap_or_else(PoisonError::into_inner);
    }
    held.by = Some(me);
    held.times += 1;
}

fn unlock() {
    let mut held = held();
    held.times -= 1;
    if held.times == 0 {
        held.by = None;
        drop(held);
        FREE.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_may_take_it_again_and_others_wait() {
        static N: Mutex<u32> = Mutex::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let (_outer, _inner) = (hold(), hold());
                        let mut n = N.try_lock().expect("nobody else is here");
                        *n += 1;
                    }
                });
            }
        });
        assert_eq!(*N.lock().expect("not poisoned"), 4000);
    }
}
