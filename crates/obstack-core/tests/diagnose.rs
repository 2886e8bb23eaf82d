//! How components stand, what keeps them from being ready, and what is said of it: the cases that people meet.

#![cfg(test)]

mod common;

mod diagnosis {
    mod claims;
    mod conclusions;
    mod containers;
    mod counts;
    mod order;
    mod pods;
    mod refusals;
    mod storage;
    pub mod world;
}
