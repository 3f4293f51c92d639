//! MySQL and MariaDB.

use std::net::IpAddr;

use async_trait::async_trait;
use encoding_rs::Encoding;
use futures_util::TryStreamExt;
use mysql_async::{
    Conn, Opts, OptsBuilder, Row as MysqlRow, SslOpts, UrlError, Value as MysqlValue,
    consts::ColumnType, prelude::Queryable,
};
use serde_json::{Map, Value, json};

use crate::source::{
    SourceError,
    sql::{
        Database, KEEPALIVE, Row,
        address::Address,
        decode,
        query::{CURSOR, Statement},
    },
};

/// Nothing but reading; `TIMESTAMP` in UTC.
const SETTINGS: [&str; 2] = ["SET SESSION TRANSACTION READ ONLY", "SET time_zone = '+00:00'"];
/// Texts as they are stored, whatever the database takes them for.
const RAW: &str = "SET character_set_results = NULL";

pub(super) struct Mysql {
    connection: Conn,
    encoding: Option<&'static Encoding>,
}

pub(super) async fn open(
    address: &Address,
    encoding: Option<&'static Encoding>,
) -> Result<Mysql, SourceError> {
    let opts = Opts::from_url(&address.url).map_err(|error| wrong(&address.url, error))?;
    let host = opts.ip_or_hostname().to_owned();
    let is_here = opts.socket().is_some()
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    // What leaves the machine is encrypted unless somebody says otherwise.
    let is_told = address.url.contains("require_ssl=");
    let mut builder = OptsBuilder::from_opts(opts);
    if !is_here && !is_told {
        builder = builder.ssl_opts(SslOpts::default());
    }
    if let Some(password) = &address.password {
        builder = builder.pass(Some(password));
    }
    let mut settings: Vec<_> = SETTINGS.iter().map(ToString::to_string).collect();
    settings.extend(encoding.map(|_| RAW.to_owned()));
    let connection =
        Conn::new(builder.prefer_socket(false).tcp_keepalive(Some(KEEPALIVE)).setup(settings))
            .await;
    let connection =
        connection.map_err(|error| SourceError::Connect(address.to_string(), error.into()))?;
    Ok(Mysql { connection, encoding })
}

/// What is wrong with an address. What stands behind a `?` may be a part of the password, where that is not encoded.
fn wrong(url: &str, error: UrlError) -> SourceError {
    let is_told = url.split_once('?').is_none_or(|(_, settings)| !settings.contains('@'));
    if is_told { SourceError::Address(error.into()) } else { SourceError::Scheme }
}

#[async_trait]
impl Database for Mysql {
    async fn rows(
        &mut self,
        Statement { sql, bound }: &Statement,
        max_bytes: usize,
    ) -> Result<Vec<Row>, SourceError> {
        let failed = |error: mysql_async::Error| SourceError::Query(error.into());
        let bound: Vec<MysqlValue> = bound.iter().map(bind).collect();
        let mut stream = self
            .connection
            .exec_stream::<MysqlRow, _, _>(sql.as_str(), bound)
            .await
            .map_err(failed)?;
        let mut rows = Vec::new();
        let mut bytes = 0;
        while bytes < max_bytes
            && let Some(row) = stream.try_next().await.map_err(failed)?
        {
            let columns = row.columns();
            let mut found = Map::new();
            let mut fault = None;
            for (column, value) in columns.iter().zip(row.unwrap()) {
                let name = column.name_str().into_owned();
                if let MysqlValue::Bytes(text) = &value {
                    bytes += text.len();
                }
                let mut value = unbind(value, column.column_type(), self.encoding);
                // A cursor goes back as it came; the server takes no offset.
                if column.column_type() == ColumnType::MYSQL_TYPE_TIMESTAMP
                    && name != CURSOR
                    && let Ok(Value::String(time)) = &mut value
                {
                    time.push('Z');
                }
                let value = value.unwrap_or_else(|problem| {
                    fault = Some(format!("`{name}` is {problem}"));
                    Value::Null
                });
                found.insert(name, value);
            }
            rows.push(Row { columns: found, fault });
        }
        Ok(rows)
    }
}

fn bind(value: &Value) -> MysqlValue {
    match (value.as_i64(), value.as_f64(), value.as_str()) {
        (Some(whole), ..) => MysqlValue::Int(whole),
        (_, Some(fraction), _) => MysqlValue::Double(fraction),
        (.., Some(text)) => MysqlValue::Bytes(text.as_bytes().to_vec()),
        (.., None) => MysqlValue::NULL,
    }
}

fn unbind(
    value: MysqlValue,
    column: ColumnType,
    encoding: Option<&'static Encoding>,
) -> Result<Value, String> {
    Ok(match value {
        MysqlValue::NULL | MysqlValue::Date(0, ..) => Value::Null,
        MysqlValue::Int(number) => json!(number),
        MysqlValue::UInt(number) => json!(number),
        MysqlValue::Float(number) => json!(number),
        MysqlValue::Double(number) => json!(number),
        MysqlValue::Date(year, month, day, hour, minute, second, micros) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            if column == ColumnType::MYSQL_TYPE_DATE {
                return Ok(json!(date));
            }
            let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
            json!(format!("{date} {hour:02}:{minute:02}:{second:02}{fraction}"))
        }
        MysqlValue::Time(is_negative, days, hours, minutes, seconds, _) => {
            let sign = if is_negative { "-" } else { "" };
            let hours = days * 24 + u32::from(hours);
            json!(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"))
        }
        MysqlValue::Bytes(bytes) => {
            // JSON is UTF-8 always.
            let encoding = encoding.filter(|_| column != ColumnType::MYSQL_TYPE_JSON);
            Value::String(decode(&bytes, encoding)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_address_is_told_without_its_password() {
        let told = |url: &str| {
            let error = wrong(url, Opts::from_url(url).unwrap_err());
            crate::source::follow::chain(&error)
        };
        let unknown = told("mysql://a:b@c/d?requires_ssl=no");
        assert!(unknown.contains("`requires_ssl'"), "{unknown}");
        let secret = told("mysql://a:ge?heim=x@c/d");
        assert!(!secret.contains("heim"), "{secret}");
    }

    #[test]
    fn every_type_comes_in() {
        use ColumnType::{MYSQL_TYPE_DATE, MYSQL_TYPE_DATETIME, MYSQL_TYPE_STRING};
        let check = |value, column, expected: Result<Value, &str>| {
            let found = unbind(value, column, Some(encoding_rs::GBK));
            match expected {
                Ok(expected) => assert_eq!(found, Ok(expected)),
                Err(part) => assert!(found.as_ref().unwrap_err().contains(part), "{found:?}"),
            }
        };
        let date = MysqlValue::Date(2026, 3, 5, 8, 30, 0, 1_500);
        check(date.clone(), MYSQL_TYPE_DATETIME, Ok(json!("2026-03-05 08:30:00.001500")));
        check(date, MYSQL_TYPE_DATE, Ok(json!("2026-03-05")));
        let never = MysqlValue::Date(0, 0, 0, 0, 0, 0, 0);
        check(never, MYSQL_TYPE_DATETIME, Ok(Value::Null));
        let gbk = MysqlValue::Bytes(vec![0xcd, 0xb7, 0xcc, 0xf5]);
        check(gbk, MYSQL_TYPE_STRING, Ok(json!("头条")));
        check(MysqlValue::Bytes(vec![0xcd]), MYSQL_TYPE_STRING, Err("not GBK"));
        check(MysqlValue::UInt(u64::MAX), MYSQL_TYPE_STRING, Ok(json!(u64::MAX)));
        check(MysqlValue::Time(false, 1, 2, 3, 4, 0), MYSQL_TYPE_STRING, Ok(json!("26:03:04")));
    }
}
