//! Signals: the first asks to stop, the second stops at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Exit code after a second signal, as a shell reports an interrupted process.
const INTERRUPTED: i32 = 130;

/// Cancels the returned token at the first SIGTERM or SIGINT and ends the process at the second.
pub fn on_signal() -> io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let name = either(&mut terminate, &mut interrupt).await;
        info!(signal = name, "stopping; a second signal stops at once");
        token.cancel();
        let name = either(&mut terminate, &mut interrupt).await;
        warn!(signal = name, "stopping at once");
        std::process::exit(INTERRUPTED);
    });
    Ok(stop)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
