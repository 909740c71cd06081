//! The one door: `cargo xtask demo | test | dist | bench | fuzz`.
fn main() {}
