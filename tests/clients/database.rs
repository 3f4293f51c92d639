//! The database that other tests run over.

use libtest_mimic::Failed;

use crate::{
    Client, check,
    support::postgres::{Cluster, DURABLE, FAST},
};

pub(crate) const CLIENTS: [Client; 1] = [Client {
    name: "clusters_stand_side_by_side_and_come_back_after_being_killed",
    program: "a PostgreSQL server",
    is_there: Cluster::is_there,
    run: killed,
}];

fn killed() -> Result<(), Failed> {
    let other = Cluster::start(FAST);
    let mut cluster = Cluster::start(DURABLE);
    check(cluster.url("a") != other.url("a"), "two clusters have one port")?;
    let url = cluster.database();
    check(url != cluster.database(), "two databases have one name")?;
    let name = url.rsplit('/').next().unwrap();
    cluster.execute(name, "CREATE TABLE kept (number int); INSERT INTO kept VALUES (1)");
    for _ in 0..2 {
        cluster.kill();
        cluster.restart();
        cluster.execute(name, "INSERT INTO kept SELECT number FROM kept");
    }
    cluster.stop();
    cluster.restart();
    cluster.execute(
        name,
        "DO $$ BEGIN ASSERT (SELECT count(*) FROM kept) = 4, 'rows were lost'; END $$",
    );
    other.execute("postgres", "SELECT 1");
    Ok(())
}
