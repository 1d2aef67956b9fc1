//! The operator's binary: reads its settings, connects, runs until it is told to stop.

use std::process::ExitCode;

use clap::Parser;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use wanqu_operator::Settings;
use wanqu_operator::framework::Clock;
use wanqu_operator::resolvers::name_servers;
use wanqu_operator::settings::LogFormat;

#[tokio::main]
async fn main() -> ExitCode {
    let mut settings = Settings::parse();
    // A pod's is what the kubelet wrote; a machine without one resolves nothing.
    settings.name_servers = name_servers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    log(settings.log_format);
    match start(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the operator cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn start(settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
    // Of the providers of cryptography that are compiled in, this one, and nobody asks which.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_default().await?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(wanqu_operator::run(client, settings, Clock::system(), stop).await?)
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.init(),
    }
}
