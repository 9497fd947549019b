//! Pools as files: resumed, refused, damaged.

use super::*;

#[tokio::test]
async fn a_pool_that_was_interrupted_goes_on_to_the_same_file() {
    let directory = tempfile::tempdir().unwrap();
    let task = task(false);
    let plan = plan(directory.path(), 3, &[Samples::Text, Samples::Program]);
    let endpoint = Simulated::new(&task);
    let fill = async || {
        let evaluation = Evaluation::open(settings(&task, 6, directory.path())).unwrap();
        evaluation
            .fill_pool(&plan, &endpoint, &mut Vec::new())
            .await
            .unwrap();
        fs::read(&plan.file).unwrap()
    };
    let whole = fill().await;
    let asked = endpoint.asked.get();
    assert_eq!(asked, 6 * (1 + 3 + 3));
    fs::write(&plan.file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(fill().await, whole);
    assert!(
        endpoint.asked.get() < 2 * asked,
        "what the pool has is not asked again"
    );
    assert_eq!(fill().await, whole);
}

#[tokio::test]
async fn a_pool_of_other_settings_is_refused_by_their_name() {
    let directory = tempfile::tempdir().unwrap();
    let task = task(false);
    let plan = plan(directory.path(), 2, &[Samples::Text]);
    let own = settings(&task, 2, directory.path());
    let endpoint = Simulated::new(&task);
    let fill = async |settings: Settings| {
        let evaluation = Evaluation::open(settings).unwrap();
        evaluation
            .fill_pool(&plan, &endpoint, &mut Vec::new())
            .await
    };
    let report = |settings: Settings| {
        let evaluation = Evaluation::open(settings).unwrap();
        let refused = evaluation.report_pool(&reading(&plan, &[]), &mut Vec::new());
        refused.unwrap_err().to_string()
    };
    fill(own.clone()).await.unwrap();
    let other = Settings {
        models: vec!["other".to_owned()],
        ..own.clone()
    };
    let error = fill(other.clone()).await.unwrap_err().to_string();
    assert!(
        error.contains("another `models`") && error.contains("--pool"),
        "{error}"
    );
    assert!(report(other).contains("another `models`: it has none of `other`"));
    let seeded = Settings {
        seed: 2,
        ..own.clone()
    };
    assert!(
        fill(seeded)
            .await
            .unwrap_err()
            .to_string()
            .contains("another `seed`")
    );
    let more = settings(&task, 3, directory.path());
    assert!(report(more).contains("another `dataset`"));
}

#[tokio::test]
async fn a_line_that_is_no_sample_is_told_by_its_number() {
    let directory = tempfile::tempdir().unwrap();
    let task = task(false);
    let plan = plan(directory.path(), 2, &[Samples::Text]);
    let own = settings(&task, 2, directory.path());
    let evaluation = Evaluation::open(own).unwrap();
    evaluation
        .fill_pool(&plan, &Simulated::new(&task), &mut Vec::new())
        .await
        .unwrap();
    let good = fs::read_to_string(&plan.file).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let report = |text: &str| {
        fs::write(&plan.file, text).unwrap();
        let refused = evaluation.report_pool(&reading(&plan, &[]), &mut Vec::new());
        refused.unwrap_err().to_string()
    };
    let hot = lines[2].replace("\"0.7\"", "\"7\"");
    let negative = lines[2].replace("\"output_tokens\":10", "\"output_tokens\":-1");
    for wrong in ["{", "[]", "{\"model\":\"m\"}", &hot, &negative] {
        let error = report(&[lines[0], lines[1], wrong, lines[3], ""].join("\n"));
        assert!(error.contains("line 3: "), "{wrong}: {error}");
    }
    for wrong in ["", "a poem\n", "[1]\n", "{}\n"] {
        assert!(
            evaluation
                .report_pool(&reading(&plan, &[]), &mut Vec::new())
                .is_err()
        );
        assert!(!report(wrong).is_empty());
    }
}

#[tokio::test]
async fn a_question_that_lacks_samples_is_left_out_and_a_row_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let task = task(false);
    let plan = plan(directory.path(), 4, &[Samples::Text]);
    let own = settings(&task, 5, directory.path());
    let evaluation = Evaluation::open(own).unwrap();
    evaluation
        .fill_pool(&plan, &Simulated::new(&task), &mut Vec::new())
        .await
        .unwrap();
    let text = fs::read_to_string(&plan.file).unwrap();
    let cut = text.trim_end().rfind('\n').unwrap() + 1;
    fs::write(&plan.file, text.get(..cut).unwrap()).unwrap();
    let mut out = Vec::new();
    let by_category = PoolReading {
        by_category: true,
        ..reading(&plan, &[])
    };
    evaluation.report_pool(&by_category, &mut out).unwrap();
    let told = String::from_utf8(out).unwrap();
    assert!(told.contains("4 questions; 1 lack samples"), "{told}");
    let missing = evaluation.report_pool(&reading(&plan, &["bon"]), &mut Vec::new());
    let error = missing.unwrap_err().to_string();
    assert!(
        error.contains("no row is called `bon`") && error.contains("greedy"),
        "{error}"
    );
}
