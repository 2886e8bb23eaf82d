//! The commands of this repository: `cargo xtask demo`, `test`, `bench`, `sandbox`, `image` and `codegen`.

mod args;
mod bench;
mod codegen;
mod command;
mod demo;
mod error;
mod image;
mod install;
mod interrupt;
mod sandbox;
mod show;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Task};
use error::Error;

fn main() -> ExitCode {
    let args = Args::parse();
    let result = interrupt::listen().and_then(|()| run(&args.task));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Error::Interrupted) => {
            eprintln!("interrupted");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the task came to a good end.
fn run(task: &Task) -> Result<bool, Error> {
    match task {
        Task::Demo(options) => demo::run(options),
        Task::Test(options) => test::run(options),
        Task::Bench(options) => bench::run(options).map(|()| true),
        Task::Sandbox(task) => sandbox::run(task).map(|()| true),
        Task::Image(options) => image::run(options).map(|()| true),
        Task::Codegen { check } => codegen::run(*check).map(|()| true),
    }
}
