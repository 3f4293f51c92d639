//! PostgreSQL. It writes each row as JSON itself, so that every type it has comes in one way.

use std::{error::Error, net::IpAddr, pin::pin, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::TryStreamExt;
use rustls_platform_verifier::BuilderVerifierExt;
use serde_json::Value;
use tokio_postgres::{
    Client, Config, NoTls,
    config::{Host, SslMode},
    types::{Format, IsNull, ToSql, Type, to_sql_checked},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::source::{
    SourceError, field,
    sql::{Database, KEEPALIVE, Row, address::Address, query::Statement},
};

const CONNECT: Duration = Duration::from_secs(10);

/// Nothing but reading; times with their offset; no query that never ends.
const SETTINGS: &str = "SET default_transaction_read_only = on; SET TIME ZONE 'UTC'; \
    SET statement_timeout = '10min'; SET idle_in_transaction_session_timeout = '1min'";

pub(super) struct Postgres {
    client: Client,
}

pub(super) async fn open(address: &Address) -> Result<Postgres, SourceError> {
    let failed =
        |error: tokio_postgres::Error| SourceError::Connect(address.to_string(), error.into());
    let mut config = Config::from_str(&address.url).map_err(failed)?;
    if let Some(password) = &address.password {
        config.password(password);
    }
    config.application_name("courant").connect_timeout(CONNECT);
    config.keepalives(true).keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE);
    // What leaves the machine is encrypted unless somebody says otherwise.
    if config.get_ssl_mode() == SslMode::Prefer {
        let mode = if config.get_hosts().iter().all(is_here) {
            SslMode::Disable
        } else {
            SslMode::Require
        };
        config.ssl_mode(mode);
    }
    let client = if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        tokio::spawn(connection);
        client
    } else {
        let tls = tls().map_err(|error| SourceError::Connect(address.to_string(), error.into()))?;
        let (client, connection) = config.connect(tls).await.map_err(failed)?;
        tokio::spawn(connection);
        client
    };
    client.batch_execute(SETTINGS).await.map_err(failed)?;
    Ok(Postgres { client })
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn tls() -> Result<MakeRustlsConnect, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[async_trait]
impl Database for Postgres {
    async fn rows(
        &mut self,
        Statement { sql, bound }: &Statement,
        max_bytes: usize,
    ) -> Result<Vec<Row>, SourceError> {
        let failed = |error: tokio_postgres::Error| SourceError::Query(error.into());
        let sql = format!("SELECT row_to_json(r)::text FROM ({sql}) AS r");
        let bound: Vec<_> = bound.iter().map(|value| AsText(field::text(value.clone()))).collect();
        let stream = self.client.query_raw(&sql, bound).await.map_err(failed)?;
        let mut stream = pin!(stream);
        let mut rows = Vec::new();
        let mut bytes = 0;
        while bytes < max_bytes
            && let Some(row) = stream.try_next().await.map_err(failed)?
        {
            let json: &str = row.try_get(0).map_err(failed)?;
            bytes += json.len();
            let columns = match serde_json::from_str(json) {
                Ok(Value::Object(columns)) => columns,
                Ok(_) => serde_json::Map::new(),
                Err(error) => return Err(SourceError::Query(error.into())),
            };
            rows.push(Row { columns, fault: None });
        }
        Ok(rows)
    }
}

/// A value as text, which the server reads as whatever type the statement has there.
#[derive(Debug)]
struct AsText(String);

impl ToSql for AsText {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}
