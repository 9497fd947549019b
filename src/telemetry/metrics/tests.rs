use hone_strategies::chat::Usage;
use hone_strategies::model::Purpose;
use hone_strategies::{CallRecord, Outcome as Run, Trace};

use super::*;
use crate::telemetry::RecordGuard;

/// What `/metrics` shows after `happens`.
fn metrics_after(happens: impl FnOnce()) -> String {
    let recorder = recorder().unwrap();
    let handle = recorder.handle();
    ::metrics::with_local_recorder(&recorder, || {
        describe();
        happens();
    });
    handle.render()
}

fn record() -> RequestRecord {
    let mut record = RequestRecord::begin("req_1".to_owned());
    record.endpoint = "chat";
    record.tenant = "tenant-tag".into();
    record.credential = "client";
    "openai".clone_into(&mut record.upstream);
    record
}

#[track_caller]
fn assert_shows(metrics: &str, line: &str) {
    assert!(
        metrics.lines().any(|shown| shown == line),
        "{line}\nis not in\n{metrics}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_relayed_request_is_counted_once_with_its_tokens_and_what_hone_added() {
    let mut record = record();
    "metrics-relayed".clone_into(&mut record.model);
    (record.status, record.upstream_calls) = (200, 1);
    (record.to_head, record.upstream_time) = (
        Some(Duration::from_micros(1_090)),
        Some(Duration::from_micros(1_000)),
    );
    tokio::time::advance(Duration::from_millis(150)).await;
    record.account.charge(&Usage::new(30, 5));
    let metrics = metrics_after(|| RecordGuard::new(record).complete());
    let call = concat!(
        r#"gen_ai_operation_name="chat",gen_ai_provider_name="openai","#,
        r#"gen_ai_request_model="metrics-relayed""#
    );
    for line in [
        concat!(
            r#"hone_requests_total{endpoint="chat",status="200",outcome="complete","#,
            r#"upstream="openai"} 1"#
        ),
        r#"hone_credential_source_total{source="client"} 1"#,
        r#"hone_limit_decisions_total{limit="all",decision="admitted"} 1"#,
        r#"hone_proxy_overhead_seconds_bucket{le="0.00005"} 0"#,
        r#"hone_proxy_overhead_seconds_bucket{le="0.0001"} 1"#,
        &format!(
            r#"gen_ai_client_operation_duration_seconds_bucket{{{call},error_type="",le="0.08"}} 0"#
        ),
        &format!(
            r#"gen_ai_client_operation_duration_seconds_bucket{{{call},error_type="",le="0.16"}} 1"#
        ),
        &format!(
            r#"gen_ai_client_token_usage_bucket{{{call},gen_ai_token_type="input",le="64"}} 1"#
        ),
        &format!(r#"gen_ai_client_token_usage_sum{{{call},gen_ai_token_type="output"}} 5"#),
    ] {
        assert_shows(&metrics, line);
    }
    assert!(!metrics.contains("tenant-tag") && !metrics.contains("req_1"));
}

#[tokio::test(start_paused = true)]
async fn the_clients_upload_is_not_what_hone_added() {
    let mut record = record();
    (record.status, record.upstream_calls) = (200, 1);
    (record.to_head, record.upstream_time) = (
        Some(Duration::from_micros(900_090)),
        Some(Duration::from_micros(1_000)),
    );
    record.upload = Duration::from_micros(899_000);
    let metrics = metrics_after(|| RecordGuard::new(record).complete());
    assert_shows(
        &metrics,
        r#"hone_proxy_overhead_seconds_bucket{le="0.0001"} 1"#,
    );
}

#[tokio::test]
async fn a_client_that_leaves_is_counted() {
    let metrics = metrics_after(|| drop(RecordGuard::new(record())));
    assert_shows(&metrics, "hone_client_disconnects_total 1");
}

#[tokio::test]
async fn a_refusal_counts_for_the_limit_that_made_it() {
    let mut record = record();
    (record.status, record.limit, record.error) =
        (429, Some("tokens"), Some("rate_limit_exceeded"));
    let metrics = metrics_after(|| RecordGuard::new(record).complete());
    assert_shows(
        &metrics,
        r#"hone_limit_decisions_total{limit="tokens",decision="refused"} 1"#,
    );
    assert!(!metrics.contains(r#"decision="admitted"} 1"#));
    assert!(!metrics.contains("gen_ai_client_operation_duration_seconds_bucket"));
}

#[tokio::test]
async fn a_model_that_no_upstream_knows_is_no_label() {
    let mut record = record();
    "made up by a stranger".clone_into(&mut record.model);
    (record.status, record.upstream_calls) = (404, 1);
    let metrics = metrics_after(|| RecordGuard::new(record).complete());
    assert!(!metrics.contains("stranger"));
    assert!(metrics.contains(r#"gen_ai_request_model="other",error_type="404""#));
}

#[tokio::test]
async fn the_model_of_a_run_without_any_answer_is_no_label() {
    let call = CallRecord {
        model: "m".to_owned(),
        branch: "bon#0".to_owned(),
        purpose: Purpose::Candidate,
        index: 0,
        started: Duration::ZERO,
        duration: Duration::from_millis(5),
        usage: Usage::default(),
        outcome: CallOutcome::Rejected(404),
    };
    let mut record = record();
    "made up by a stranger, too".clone_into(&mut record.model);
    let metrics = metrics_after(|| {
        ran(
            &record,
            &Trace {
                calls: vec![call],
                ..Trace::default()
            },
        );
    });
    assert!(!metrics.contains("stranger"));
    assert_shows(
        &metrics,
        r#"hone_strategy_subcalls_total{strategy="bon",role="candidate",outcome="rejected"} 1"#,
    );
}

#[tokio::test]
async fn a_run_counts_every_call_by_its_part_and_what_was_wasted() {
    let call = |purpose, outcome, total| CallRecord {
        model: "m".to_owned(),
        branch: "bon#0".to_owned(),
        purpose,
        index: 0,
        started: Duration::ZERO,
        duration: Duration::from_millis(5),
        usage: Usage {
            total,
            ..Usage::new(1, 2)
        },
        outcome,
    };
    let calls = vec![
        call(Purpose::Candidate, CallOutcome::Answered, 10),
        call(Purpose::Candidate, CallOutcome::Answered, 20),
        call(Purpose::Candidate, CallOutcome::Cancelled, 7),
        call(Purpose::Judge, CallOutcome::Rejected(500), 0),
    ];
    let run = Run {
        choices: Vec::new(),
        usage: Usage::default(),
        reported: hone_strategies::chat::Reported::default(),
        final_usage: Usage::default(),
        calls: 4,
        degraded: Vec::new(),
        trace: Trace {
            calls,
            ..Trace::default()
        },
    };
    let mut record = record();
    "metrics-run".clone_into(&mut record.model);
    record.approach = "bon".into();
    record.status = 200;
    let metrics = metrics_after(|| {
        let mut ending = RecordGuard::new(record);
        ending.record().ran(&run);
        ending.complete();
    });
    for line in [
        r#"hone_strategy_subcalls_total{strategy="bon",role="candidate",outcome="answered"} 2"#,
        r#"hone_strategy_subcalls_total{strategy="bon",role="candidate",outcome="cancelled"} 1"#,
        r#"hone_strategy_subcalls_total{strategy="bon",role="judge",outcome="rejected"} 1"#,
        "hone_strategy_wasted_tokens_total 7",
        r#"gen_ai_workflow_duration_seconds_count{gen_ai_workflow_name="bon",error_type=""} 1"#,
        concat!(
            r#"gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat","#,
            r#"gen_ai_provider_name="openai",gen_ai_request_model="metrics-run","#,
            r#"error_type="500"} 1"#
        ),
    ] {
        assert_shows(&metrics, line);
    }
}
