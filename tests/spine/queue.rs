//! This file's job is to show that an operator finds dead jobs with the command line, and tries them again or gives them up.

use crate::world::in_both_shapes;
use db::Db;
use db::queue::{self, Claim, Failure, NewJob};
use domain::Timestamp;
use domain::id::{JobId, OrganizationId, UploadId, WorkerId};
use domain::job::{Job, Tier};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Adds a job about an upload that there is not, and lets it die at once: no worker sees it in between.
async fn bury(db: &Db, organization: &OrganizationId, number: u8, reason: &'static str) -> JobId {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::from_us(i64::try_from(since.as_micros()).unwrap());
    let id = JobId::from_parts(now, [number; 10]);
    let new = NewJob {
        id: id.clone(),
        tier: Tier::P1,
        organization: organization.clone(),
        app: None,
        work: Job::ProcessUpload { upload: UploadId::from_parts(now, [number; 10]) },
        cost: 1,
        run_at: now,
    };
    let claim = Claim {
        tier: Tier::P1,
        limit: 1,
        background_max: 1,
        first: new.work.kind().lane(),
        tenant_max: None,
        worker: WorkerId::from_parts(now, [number; 10]),
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(30),
    };
    let write = move |tx: &mut db::Tx<'_>| {
        queue::enqueue(tx, &new, now)?;
        let lease = queue::claim(tx, &claim, now)?.pop().expect("the job is the only one of its tier");
        let failure = Failure { reason: reason.into(), error: format!("upload 7: {reason}"), retryable: false };
        queue::fail(tx, &lease, &failure, 0, now)
    };
    db.write(write).await.unwrap();
    id
}

fn rows(answer: &Value) -> &Vec<Value> {
    answer["rows"].as_array().unwrap()
}

#[tokio::test]
async fn an_operator_looks_at_dead_jobs_retries_one_and_discards_the_others() {
    in_both_shapes(async |world| {
        let operator = &world.stack.operator;
        assert!(rows(&operator.json(&["queue", "dead", "list"])).is_empty());
        let organization = world.cli().json(&["whoami"])["organization_id"].as_str().unwrap().parse().unwrap();
        let db = Db::open(&db::Config::new(world.stack.database_url())).await.unwrap();
        let first = bury(&db, &organization, 1, "unavailable").await;
        for (number, reason) in [(2, "unavailable"), (3, "data-loss")] {
            bury(&db, &organization, number, reason).await;
        }

        let groups = operator.json(&["queue", "dead", "list"]);
        assert_eq!((rows(&groups).len(), &rows(&groups)[0]["jobs"]), (2, &Value::from("2")), "{groups}");
        let shown = operator.json(&["queue", "dead", "show", first.as_str()]);
        assert_eq!(shown["job"]["cause"], "unavailable", "{shown}");
        assert_eq!(rows(&shown["attempts"])[0]["outcome"], "failed", "{shown}");

        let counted = operator.json(&["queue", "dead", "retry", "--all", "--dry-run"]);
        assert_eq!(counted["job_count"], 3, "{counted}");
        let retried = operator.json(&["queue", "dead", "retry", "--job", first.as_str()]);
        assert_eq!(retried["job_count"], 1, "{retried}");
        let discarded = operator.json(&["queue", "dead", "discard", "--all", "--reason", "a test made them"]);
        assert_eq!(discarded["job_count"], 2, "{discarded}");
        assert!(rows(&operator.json(&["queue", "dead", "list"])).is_empty());
        let stats = operator.json(&["queue", "stats"]);
        assert!(rows(&stats).len() >= Tier::ALL.len(), "{stats}");

        let careless = operator.run(&["queue", "dead", "retry"]);
        assert_ne!(careless.code, 0, "nobody means all jobs by mistake: {}", careless.json);
        let customer = world.cli().run(&["queue", "stats"]);
        assert_ne!(customer.code, 0, "{}", customer.json);
    })
    .await;
}
