//! Ways for the fuzz targets, and for nobody else, to the readers of files that are private to
//! this crate. What must hold is asserted here.

use serde_json::Value;

use crate::journal::{self, Answered, Line, Task};
use crate::pool::{Draw, Sample};
use crate::prices::{Prices, Spent};
use crate::{dataset, judge};

/// A dataset, read twice: the same questions, each with an id of its own, of which `reply` is
/// graded; or every mistake.
pub fn dataset(text: &str, reply: &str) {
    match dataset::read(text, None, None) {
        Ok(questions) => {
            let mut ids: Vec<&str> = questions
                .iter()
                .map(|question| question.id.as_str())
                .collect();
            ids.sort_unstable();
            assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
            for question in &questions {
                assert!(
                    question
                        .messages
                        .as_array()
                        .is_some_and(|messages| !messages.is_empty())
                );
                let verdict = question.grader.grade(reply, &question.shape);
                assert_eq!(question.grader.grade(reply, &question.shape), verdict);
            }
        }
        Err(mistakes) => assert!(mistakes.to_string().contains("line ")),
    }
}

/// A journal: what is read of it and written again is read alike, and a line that was cut off costs
/// only itself.
pub fn journal(text: &str) {
    let settings = Value::Object(serde_json::Map::new());
    let Ok(answers) = journal::read::<Task, Answered>(text, &settings) else {
        return;
    };
    let mut again = String::from("{}\n");
    let mut spent = Spent::default();
    for (task, answered) in &answers {
        let line = Line {
            task: task.clone(),
            answered: answered.clone(),
        };
        again.push_str(&serde_json::to_string(&line).expect("a line is JSON"));
        again.push('\n');
        let this = Prices::default().of(&task.model, answered);
        spent = spent.and(this);
        assert!(spent.tokens >= this.tokens);
    }
    assert_eq!(journal::read(&again, &settings).as_ref(), Ok(&answers));
    again.push_str(r#"{"model":"m","approach":"no"#);
    assert_eq!(
        journal::read(&again, &settings).as_ref(),
        Ok(&answers),
        "a line without an end is no line"
    );
}

/// A pool: what is read of it and written again is read alike, what it says of its samples never
/// overflows, and a line that cannot be read is told by its number.
pub fn pool(text: &str) {
    let settings = Value::Object(serde_json::Map::new());
    let samples = match journal::read::<Draw, Sample>(text, &settings) {
        Ok(samples) => samples,
        Err(why) => {
            assert!(
                why.starts_with("line ") || why.starts_with("not a journal"),
                "{why}"
            );
            return;
        }
    };
    let mut again = String::from("{}\n");
    for (task, answered) in &samples {
        assert!(answered.tokens().cached <= answered.tokens().read);
        let line = Line {
            task: task.clone(),
            answered: answered.clone(),
        };
        again.push_str(&serde_json::to_string(&line).expect("a line is JSON"));
        again.push('\n');
    }
    assert_eq!(journal::read(&again, &settings).as_ref(), Ok(&samples));
}

/// The reply of a judge: a verdict only where the last line gives one.
pub fn judge(reply: &str) {
    assert!(judge::read(reply).is_none() || reply.contains("Verdict:"));
}
