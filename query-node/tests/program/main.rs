//! The `query-node` program as its supervisor sees it: a process with files, ports, signals and an exit code.

mod ending;
mod misconfigured;
mod observed;
mod peers;
mod process;
mod silent;
mod traced;
mod world;
