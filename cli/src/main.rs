//! This file's job is to run `aloft` and to turn its outcome into text and an exit code.

use clap::Parser as _;
use cli::arguments::{self, Arguments};
use cli::{Error, report};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let json = arguments.global.json;
    // The first provider wins; a second one can only be the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(arguments) {
        Ok(found) => {
            report::print(found.as_ref(), json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            report::print_error(&error, json);
            ExitCode::from(error.exit().code())
        }
    }
}

fn run(arguments: Arguments) -> Result<report::AnyReport, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::file("the asynchronous runtime".as_ref(), source))?;
    runtime.block_on(arguments::run(arguments, |name| std::env::var(name).ok()))
}

/// A wrong command line, or a request for help. With `--json` also this is one document.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_help = !error.use_stderr();
    if !is_help && std::env::args().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        report::print_error(&Error::Usage(text.trim_start_matches("error: ").trim_end().to_owned()), true);
    } else {
        let _ = error.print();
    }
    if is_help { ExitCode::SUCCESS } else { ExitCode::from(cli::exit::Exit::Usage.code()) }
}
