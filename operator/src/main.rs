//! The operator's program: reads its settings, connects, and runs until it is told to stop.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use kube::{Client, Config};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use wanqu_operator::Settings;
use wanqu_operator::framework::Clock;
use wanqu_operator::resolvers::name_servers;
use wanqu_operator::settings::LogFormat;

#[tokio::main]
async fn main() -> ExitCode {
    let mut settings = Settings::parse();
    // In a pod, the kubelet wrote it; without one, no name server is known.
    settings.name_servers = name_servers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    log(settings.log_format);
    match start(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the operator ends; its pod starts it again");
            ExitCode::FAILURE
        }
    }
}

async fn start(settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
    // More than one provider of cryptography may be compiled in: this one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = Config::infer().await?;
    if config.proxy_url.take().is_some() {
        tracing::warn!(
            "the environment or the kubeconfig names a proxy, and the operator uses none: it connects directly"
        );
    }
    // Longer than the API server keeps a watch open. Without it, a reconciliation could wait for ever for a connection
    // that went silent.
    (config.read_timeout, config.reset_reader_on_write) = (Some(Duration::from_mins(5)), true);
    let client = Client::try_from(config)?;
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
