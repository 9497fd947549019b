//! What files say, in hone's own form and in those of published datasets.

use super::*;

/// The texts, expected answers and ids of a dataset.
fn of(text: &str, format: Option<Format>) -> Vec<(String, String, String)> {
    let questions = read(text, format, None).unwrap_or_else(|error| panic!("{error}"));
    let told = |question: Question| (question.text, question.expected.join("|"), question.id);
    questions.into_iter().map(told).collect()
}

fn mistakes(text: &str, format: Option<Format>) -> Vec<String> {
    let Mistakes(mistakes) = read(text, format, None).unwrap_err();
    mistakes
        .iter()
        .map(|(place, mistake)| format!("{place}: {mistake}"))
        .collect()
}

#[test]
fn prompts_and_conversations_are_questions() {
    let text = concat!(
        r#"{"prompt":"2+2?","answer":4}"#,
        "\n\n",
        r#"{"id":"b","answer":["yes","true"],"messages":[{"role":"user","#,
        r#""content":[{"type":"text","text":"Is it?"}]}]}"#,
        "\n",
    );
    let questions = read(text, None, None).unwrap();
    assert_eq!(
        questions
            .iter()
            .map(|question| question.id.as_str())
            .collect::<Vec<_>>(),
        ["1", "b"]
    );
    assert_eq!(
        questions[0].messages,
        json!([{"role": "user", "content": "2+2?"}])
    );
    assert_eq!(questions[1].text, "Is it?");
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let text = [
        "not json",
        r#"{"prompt":"q","answer":1}"#,
        r#"{"prompt":"q"}"#,
        r#"{"prompt":"q","messages":[],"answer":1}"#,
        r#"{"prompt":"q","answer":{},"grader":"exact"}"#,
        r#"{"prompt":"q","answer":"(","grader":"regex"}"#,
        r#"{"prompt":"q","answer":"many","grader":"numeric"}"#,
        r#"{"prompt":"q","answer":"1","grader":"guess"}"#,
        r#"{"prompt":"q","answer":"1","promt":"q"}"#,
        r#"{"messages":[{"role":"assistant","content":"q"}],"answer":1}"#,
        r#"{"id":"2","prompt":"q","answer":1}"#,
        r#"{"prompt":" ","answer":1}"#,
    ];
    let Mistakes(mistakes) = read(&text.join("\n"), None, None).unwrap_err();
    assert_eq!(
        mistakes
            .iter()
            .map(|(place, _)| place.number())
            .collect::<Vec<_>>(),
        [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    );
    assert!(read("\n", None, None).is_err());
}

#[test]
fn a_mistake_names_line_and_column_once() {
    let lines = "{\"prompt\":\"q\",\"answer\":1}\n{\"prompt\":\"q\" \"answer\":1}\n";
    assert_eq!(
        mistakes(lines, None),
        ["line 2, column 15: expected `,` or `}`"]
    );
    let array = "[\n {\"prompt\":\"q\",\"answer\":1},\n {\"prompt\":\"q\" \"answer\":1}\n]";
    assert_eq!(
        mistakes(array, None),
        ["line 3, column 16: expected `,` or `}`"]
    );
    let array = "[{\"prompt\":\"q\",\"answer\":1},\n\n7,\n{\"prompt\":\"q\"}]";
    let told = mistakes(array, None);
    assert!(told[0].starts_with("line 3: invalid type"), "{told:?}");
    assert_eq!(told[1], "line 4: `answer` is missing");
    let table = "question,answer\n\"one\ntwo\",2\nthree\n,4\n";
    assert_eq!(
        mistakes(table, None),
        [
            "line 4: 1 fields, where the first line has 2",
            "line 5: `question` is empty"
        ]
    );
    let told = read("{", None, None).unwrap_err().to_string();
    assert!(told.starts_with("the dataset has a mistake:"), "{told}");
    assert_eq!(told.matches("line 1").count(), 1, "{told}");
}

#[test]
fn gsm8k_is_read_as_it_is_published() {
    let text = concat!(
        r#"{"question": "Natalia sold clips. How many?", "answer": "She sold 48/2 = <<48/2=24>>24"#,
        r#" clips.\nIn all 48+24 = <<48+24=72>>72.\n#### 72"}"#,
        "\n",
        r#"{"question": "How much?", "answer": "It is\n#### 1,234"}"#,
    );
    for format in [None, Some(Format::Gsm8k), Some(Format::Jsonl)] {
        let questions = of(text, format);
        assert_eq!(
            (questions[0].1.as_str(), questions[1].1.as_str()),
            ("72", "1,234")
        );
        assert_eq!(questions[0].0, "Natalia sold clips. How many?");
    }
    let told = mistakes(r#"{"question":"q","answer":"72"}"#, Some(Format::Gsm8k));
    assert!(told[0].contains("####"), "{told:?}");
}

#[test]
fn mmlu_is_read_as_it_is_published() {
    let options = "\n\nA) 0\nB) 4\nC) 2\nD) 6";
    // The table of the original, which has no head; that of others, which has one; what exports of
    // the Hub hold, as lines and as a table.
    for text in [
        "\"Find the degree, if any.\",0,4,2,6,B\nWhich?,x,y,z,w,D\n",
        "question,A,B,C,D,answer\n\"Find the degree, if any.\",0,4,2,6,B\n",
        ",Question,A,B,C,D,Answer,Subject\n0,\"Find the degree, if any.\",0,4,2,6,B,algebra\n",
        "question,subject,choices,answer\n\"Find the degree, if any.\",algebra,['0' '4' '2' '6'],1",
        "question,choices,answer\n\"Find the degree, if any.\",\"['0', '4', '2', '6']\",1\n",
        r#"{"question":"Find the degree, if any.","subject":"a","choices":["0","4","2","6"],
            "answer":1}"#,
        r#"[{"question":"Find the degree, if any.","choices":["0","4","2","6"],"answer":"B"}]"#,
        r#"{"question_id":70,"question":"Find the degree, if any.","options":["0","4","2","6"],
            "answer":"B","answer_index":1,"cot_content":"","category":"math","src":"x"}"#,
        r#"{"rows":[{"row_idx":0,"row":{"question":"Find the degree, if any.",
            "choices":["0","4","2","6"],"answer":1}}]}"#,
    ] {
        for format in [None, Some(Format::Mmlu)] {
            let questions = of(text, format);
            let first = &questions[0];
            assert_eq!(
                first.0,
                format!("Find the degree, if any.{options}"),
                "{text}"
            );
            assert_eq!(first.1, "B", "{text}");
        }
    }
    let told = mistakes(r#"{"question":"q","choices":["a","b"],"answer":7}"#, None);
    assert_eq!(told, ["line 1: `7` is none of the options"]);
}

#[test]
fn math_is_read_as_it_is_published() {
    let one = concat!(
        r#"{"problem": "Compute $1+1$.", "level": "Level 1", "type": "Algebra","#,
        "\n",
        r#" "solution": "We have $\\frac{1}{2}$, so \\boxed{\\frac{3}{4}}."}"#,
    );
    let five_hundred = concat!(
        r#"{"problem":"Compute.","solution":"So $\\boxed{x}$.","answer":"\\frac{3}{4}","#,
        r#""subject":"Algebra","level":1,"unique_id":"test/algebra/1.json"}"#,
    );
    for format in [None, Some(Format::Math)] {
        assert_eq!(of(one, format)[0].1, r"\frac{3}{4}");
        let (_, answer, id) = of(five_hundred, format).remove(0);
        assert_eq!(
            (answer.as_str(), id.as_str()),
            (r"\frac{3}{4}", "test/algebra/1.json")
        );
    }
    let told = mistakes(r#"{"problem":"q","solution":"no box"}"#, None);
    assert!(told[0].contains("boxed"), "{told:?}");
}

#[test]
fn arc_is_read_as_it_is_published() {
    let original = concat!(
        r#"{"id":"Mercury_1","question":{"stem":"Which?","choices":[{"text":"wood","label":"A"},"#,
        r#"{"text":"iron","label":"B"}]},"answerKey":"B"}"#,
    );
    let hub = concat!(
        r#"{"id":"Mercury_1","question":"Which?","choices":{"text":["wood","iron"],"#,
        r#""label":["A","B"]},"answerKey":"B"}"#,
    );
    let numbered = concat!(
        r#"{"id":"Mercury_1","question":"Which?","choices":{"text":["wood","iron"],"#,
        r#""label":["1","2"]},"answerKey":"2"}"#,
    );
    let table = "questionID,totalPossiblePoint,AnswerKey,question,subject\n\
        Mercury_1,1,B,\"Which?\n\nA) wood\nB) iron\",\n";
    for text in [original, hub, numbered, table] {
        for format in [None, Some(Format::Arc)] {
            let questions = of(text, format);
            let (question, answer, id) = &questions[0];
            assert_eq!(question, "Which?\n\nA) wood\nB) iron", "{text}");
            assert_eq!((answer.as_str(), id.as_str()), ("B", "Mercury_1"), "{text}");
        }
    }
    let inline = "question,AnswerKey\nWhich? (A) wood (B) iron,B\n";
    assert_eq!(of(inline, Some(Format::Arc))[0].1, "B");
}

#[test]
fn any_table_and_any_list_of_questions_is_read() {
    let expected = [
        ("2+2?".to_owned(), "4".to_owned()),
        ("3+3?".to_owned(), "6".to_owned()),
    ];
    for text in [
        "prompt,answer\n2+2?,4\n3+3?,6\n",
        "Question\tExpected Answer\n2+2?\t4\n3+3?\t6\n",
        "id,input,target,notes\na,2+2?,4,easy\nb,3+3?,6,\"a, b\"\n",
        "\u{feff}question,answer\r\n2+2?,4\r\n3+3?,6\r\n",
        r#"[{"prompt":"2+2?","answer":4},{"prompt":"3+3?","answer":6}]"#,
        "[\n  {\n    \"prompt\": \"2+2?\",\n    \"answer\": 4\n  },\n  {\n    \"prompt\": \"3+3?\",\
            \n\"answer\": \"6\"\n  }\n]\n",
        "{\"instruction\":\"2+2?\",\"output\":\"4\"}\n{\"instruction\":\"3+3?\",\"output\":\"6\"}",
        "{\"data\":[{\"input\":\"2+2?\",\"target\":4},{\"input\":\"3+3?\",\"target\":6}]}",
        "{\n\"prompt\":\"2+2?\",\n\"answer\":4}\n{\n\"prompt\":\"3+3?\",\n\"answer\":6}\n",
    ] {
        let read: Vec<(String, String)> = of(text, None)
            .into_iter()
            .map(|(question, answer, _)| (question, answer))
            .collect();
        assert_eq!(read, expected, "{text}");
    }
    let more = r#"{"prompt":"q","answer":"1","topic":"x","difficulty":3,"grade":8}"#;
    assert_eq!(
        of(more, None).len(),
        1,
        "what else a record holds is its own business"
    );
}
