use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const KIND: &str = "multipart/form-data; boundary=b";

/// The models of a form that comes in pieces of `step` bytes, read to its end.
fn models(
    kind: &str,
    lists: &'static [&'static str],
    form: &[u8],
    step: usize,
) -> Result<Vec<String>, FormError> {
    let reader = FormReader::new(kind)?;
    let reader = if lists.is_empty() {
        reader
    } else {
        reader.without(lists)
    };
    all(reader, form, step)
}

/// The models that `reader` finds.
fn all(mut reader: FormReader<'_>, form: &[u8], step: usize) -> Result<Vec<String>, FormError> {
    let mut models = Vec::new();
    let mut come = 0;
    loop {
        come = (come + step).min(form.len());
        loop {
            match reader.read(&form[..come])? {
                Found::Model(place) => {
                    models.push(String::from_utf8_lossy(&form[place]).into_owned());
                }
                Found::Nothing if come == form.len() => {
                    return Err(FormError::Unclear("cut"));
                }
                Found::End if come == form.len() => return Ok(models),
                Found::Nothing | Found::End => break,
            }
        }
    }
}

/// The same however it is cut.
fn read(kind: &str, form: &str) -> Result<Vec<String>, FormError> {
    let whole = models(kind, &[], form.as_bytes(), form.len().max(1));
    for step in [1, 2, 3, 7] {
        assert_eq!(models(kind, &[], form.as_bytes(), step), whole, "{form:?}");
    }
    whole
}

fn part(head: &str, content: &str) -> String {
    format!("--b\r\n{head}\r\n\r\n{content}\r\n")
}

fn field(name: &str, value: &str) -> String {
    part(
        &format!("Content-Disposition: form-data; name={name}"),
        value,
    )
}

fn file(content: &str) -> String {
    field("\"file\"; filename=\"a.wav\"", content)
}

fn form(parts: &[String]) -> String {
    parts.concat() + "--b--\r\n"
}

#[test]
fn the_model_is_found_however_a_client_writes_it() {
    let model = || vec!["whisper-1".to_owned()];
    for head in [
        r#"Content-Disposition: form-data; name="model""#,
        "content-disposition: form-data; name=model",
        r#"Content-Disposition:form-data;name="model""#,
        r#"CONTENT-DISPOSITION: form-data;name="model""#,
        "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model",
        "Content-Disposition: form-data; name=\"model\"\r\nContent-Length: 9",
        "Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: 8bit",
    ] {
        let form = form(&[file("RIFF"), part(head, "whisper-1")]);
        assert_eq!(read(KIND, &form), Ok(model()), "{head}");
    }
    for (kind, before) in [
        ("multipart/form-data; boundary=\"b\"", ""),
        ("Multipart/Form-Data; charset=utf-8; boundary=b", ""),
        ("multipart/form-data;boundary=b", "\r\n"),
    ] {
        let form = before.to_owned() + &form(&[field("model", "whisper-1"), file("RIFF")]);
        assert_eq!(read(kind, &form), Ok(model()), "{kind}, {before:?}");
    }
    let padded = form(&[field("model", "whisper-1")]).replace("--b\r\n", "--b \t\r\n");
    assert_eq!(read(KIND, &padded), Ok(model()));
    let no_last_line = form(&[field("model", "whisper-1")]).trim_end().to_owned();
    assert_eq!(read(KIND, &no_last_line), Ok(model()));
    let long = "-".repeat(70);
    let long_form = form(&[field("model", "whisper-1")]).replace("--b", &format!("--{long}"));
    let kind = format!("multipart/form-data; boundary={long}");
    assert_eq!(read(&kind, &long_form), Ok(model()));
}

#[test]
fn a_form_without_a_model_has_none_whatever_its_file_looks_like() {
    for content in [
        "model",
        "Content-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o",
        "a --b",
        "x--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o",
        "\r\n--",
        "\r\n-",
        "\r",
        "",
        "\n--c\r\n",
    ] {
        assert_eq!(
            read(KIND, &form(&[file(content)])),
            Ok(vec![]),
            "{content:?}"
        );
    }
    for name in ["models", "\"model \"", "xmodel", "\"\"", "\"model[]\""] {
        let form = form(&[field(name, "gpt-4o")]);
        assert_eq!(read(KIND, &form), Ok(vec![]), "{name}");
    }
    assert_eq!(read(KIND, "--b--\r\n"), Ok(vec![]));
}

#[test]
fn what_two_servers_could_read_differently_is_refused() {
    let whole = form(&[field("model", "m"), file("RIFF")]);
    let inner = |line: &str| form(&[file(&format!("RIFF{line}"))]);
    for unclear in [
        whole.replace("\r\n", "\n"),
        inner("\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o"),
        inner("\r\n--bc\r\n"),
        inner("\r\n--b-\r\n"),
        inner("\r\n--b\n\n"),
        form(&[part("Content-Disposition: form-data;\r\n name=model", "m")]),
        form(&[part("Content-Disposition : form-data; name=model", "m")]),
        form(&[part(
            "Content-Disposition: form-data; name=a; name=model",
            "m",
        )]),
        form(&[part(
            "Content-Disposition: form-data; name*=utf-8''model",
            "m",
        )]),
        form(&[part("Content-Disposition: form-data; filename=a", "m")]),
        form(&[part("Content-Disposition: attachment; name=model", "m")]),
        form(&[part("Content-Disposition: form-data; name=\"model", "m")]),
        form(&[part("Content-Disposition: form-data; name=\"a\"b", "m")]),
        form(&[part("X: form-data; name=model", "m")]),
        form(&[part("\r\nX", "m")]),
        form(&[part(
            "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=model",
            "m",
        )]),
        form(&[field("model; filename=a", "m")]),
        form(&[field("model\r\nContent-Transfer-Encoding: base64", "bQ==")]),
        form(&[field(
            "model\r\nContent-Type: text/plain; charset=utf-16",
            "m",
        )]),
        whole.clone()
            + "\r\n--b\r\nContent-Disposition: form-data; name=model\r\n\r\nx\r\n--b--\r\n",
        whole.replace("\r\n--b--\r\n", ""),
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--b--\r\n".to_owned(),
        "no boundary at all".to_owned(),
        String::new(),
    ] {
        let read = read(KIND, &unclear);
        assert!(
            matches!(read, Err(FormError::Unclear(_))),
            "{read:?} {unclear:?}"
        );
    }
    assert!(FormReader::new(&format!("{KIND}{}", "b".repeat(70))).is_err());
}

/// What servers were seen to take for `model`, for another field, or for a boundary.
#[test]
fn what_servers_were_seen_to_read_differently_is_refused() {
    let whole = form(&[field("model", "m"), file("RIFF")]);
    let inner = |line: &str| form(&[file(&format!("RIFF{line}"))]);
    for unclear in [
        form(&[field("Model", "m")]),
        form(&[field("\"MODEL\"", "m")]),
        form(&[field("\"mo\\del\"", "m")]),
        form(&[part("Content-Disposition: form-data; Name=model", "m")]),
        form(&[part("Content-Disposition: form-data; name =model", "m")]),
        form(&[part("Content-Disposition: form-data; name= model", "m")]),
        form(&[part("Content-Disposition: form-data;; name=model", "m")]),
        form(&[part("Content-Disposition: form-data ; name=model", "m")]),
        form(&[part("Content-Disposition: form-data; name=model;", "m")]),
        form(&[part("Content-Disposition: Form-Data; name=model", "m")]),
        form(&[field("x; name*0=mo; name*1=del", "m")]),
        form(&[field("\"mo\"; name*1=\"del\"", "m")]),
        form(&[field("x; name*0*=utf-8''model", "m")]),
        form(&[field("x; filename*0=a", "m")]),
        form(&[field("x; size=1", "m")]),
        form(&[field("\"a\"; filename=\"b\\\"; name=\"model\"", "m")]),
        inner("\r--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o"),
        "a preamble\r\n".to_owned() + &whole,
        "--c\r\n".to_owned() + &whole,
        "x".to_owned() + &whole,
        "\r".to_owned() + &whole,
        "\n".to_owned() + &whole,
    ] {
        let read = read(KIND, &unclear);
        assert!(
            matches!(read, Err(FormError::Unclear(_))),
            "{read:?} {unclear:?}"
        );
    }
}

#[test]
fn a_type_has_one_boundary_in_one_spelling() {
    for kind in [
        "multipart/form-data",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"b \"",
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; boundary=é",
        r#"multipart/form-data; boundary="b\c""#,
        r#"multipart/form-data; boundary="b c""#,
        "multipart/form-data; boundary=b c",
        "multipart/form-data; boundary=b,c",
        "multipart/form-data; boundary=\"b,c\"",
        "multipart/form-data; boundary=b ",
        "multipart/form-data; Boundary=b",
        "multipart/form-data; boundary=b; boundary*=utf-8''c",
        "multipart/form-data; boundary*=utf-8''c; boundary=b",
        "multipart/form-data; boundary=b; boundary*0=c",
        r#"multipart/form-data; x="a\"; boundary=c; y=\"b"; boundary=b"#,
        "multipart/form-data; boundary=b;",
    ] {
        assert!(FormReader::new(kind).is_err(), "{kind}");
    }
}

#[test]
fn one_model_counts_and_two_are_refused() {
    let form = form(&[field("model", "m"), file("RIFF"), field("model", "n")]);
    assert_eq!(read(KIND, &form), Err(FormError::Twice));
}

#[test]
fn names_and_heads_have_a_length() {
    let name = "m".repeat(LONGEST_VALUE);
    let longest = form(&[field("model", &name)]);
    assert_eq!(read(KIND, &longest), Ok(vec![name]));
    let long = form(&[field("model", &"m".repeat(LONGEST_VALUE + 1))]);
    assert_eq!(read(KIND, &long), Err(FormError::TooLong(LONGEST_VALUE)));
    let unended = format!(
        "--b\r\nContent-Disposition: form-data; name=model\r\n\r\n{}",
        "m".repeat(3000)
    );
    assert_eq!(read(KIND, &unended), Err(FormError::TooLong(LONGEST_VALUE)));
    let head = format!("X: {}", "x".repeat(LONGEST_HEAD));
    assert!(matches!(
        read(KIND, &form(&[part(&head, "m")])),
        Err(FormError::Unclear(_))
    ));
}

/// The form, read with these fields only: two for speech, and one that the operator has named.
fn only(form: &str, step: usize) -> Result<Vec<String>, FormError> {
    let named = ["hotwords".to_owned()];
    let served = fields::Served {
        listed: &["model", "include", "prompt", "temperature"],
        named: &named,
    };
    let reader = FormReader::new(KIND)?.with(Fields::Only(&["file"], served));
    all(reader, form.as_bytes(), step)
}

#[test]
fn a_form_with_listed_fields_only_has_no_others() {
    let whole = |more: &[String]| {
        let parts = [&[field("model", "m"), file("RIFF")], more].concat();
        form(&parts)
    };
    for more in [
        &[][..],
        &[field("prompt", "p"), field("prompt", "q")],
        &[field("\"include[]\"", "logprobs")],
        &[
            field("hotwords", "h"),
            field("temperature", "0"),
            field("top_k", "1"),
        ],
        &[field("\"file[]\"; filename=\"b\"", "b")],
    ] {
        for step in [1, 7, 1000] {
            assert_eq!(
                only(&whole(more), step),
                Ok(vec!["m".to_owned()]),
                "{more:?}"
            );
        }
    }
    for (more, what) in [
        (field("file_id", "f"), "file_id"),
        (field("Prompt", "p"), "Prompt"),
        (field("\"prompt \"", "p"), "prompt "),
        (field("%70rompt", "p"), "%70rompt"),
        (field("\"model[]\"", "n"), "model[]"),
        (field("\"prompt[id]\"", "p"), "prompt[id]"),
        (field("\"prompt[][]\"", "p"), "prompt[][]"),
        (field("x; filename=a", "p"), "x"),
        (field("file", "f"), "file: a text in place of a file"),
        (
            field("\"file[]\"", "f"),
            "file[]: a text in place of a file",
        ),
    ] {
        for step in [1, 7, 1000] {
            let refused = Err(FormError::Field(what.to_owned()));
            assert_eq!(only(&whole(std::slice::from_ref(&more)), step), refused);
        }
    }
}

#[test]
fn fields_that_could_choose_another_model_are_named() {
    let of = |name: &str| {
        let form = form(&[field("model", "m"), field(name, "n")]);
        models(KIND, &["models", "fallbacks"], form.as_bytes(), form.len())
    };
    for name in [
        "models",
        "Models",
        "\"models[]\"",
        "\"fallbacks[0]\"",
        "\"model[]\"",
    ] {
        assert!(matches!(of(name), Err(FormError::List(_))), "{name}");
    }
    assert!(matches!(of("\"%6dodel\""), Err(FormError::Unclear(_))));
    assert_eq!(
        of("\"timestamp_granularities[]\""),
        Ok(vec!["m".to_owned()])
    );
}

proptest! {
    #[test]
    fn any_form_is_read_as_it_was_written(
        contents in vec(vec(any::<u8>(), 0..200), 0..5),
        place in 0_usize..6,
        model in "[a-z0-9/._-]{0,40}",
        boundary in "[0-9A-Za-z'()+_./:=?-]{12,70}",
        step in 1_usize..400,
    ) {
        let mut form = Vec::new();
        let mut write = |head: &str, content: &[u8]| {
            form.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
            form.extend_from_slice(content);
            form.extend_from_slice(b"\r\n");
        };
        let place = place.min(contents.len());
        for (index, content) in contents.iter().enumerate() {
            if index == place {
                write("Content-Disposition: form-data; name=\"model\"", model.as_bytes());
            }
            write("Content-Disposition: form-data; name=\"f\"; filename=\"f\"", content);
        }
        if place == contents.len() {
            write("Content-Disposition: form-data; name=\"model\"", model.as_bytes());
        }
        form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary=\"{boundary}\"");
        prop_assert_eq!(models(&kind, &[], &form, step), Ok(vec![model]));
    }

    #[test]
    fn whatever_comes_is_read_alike_however_it_is_cut(
        pieces in vec(prop_oneof![
            Just("\r\n"), Just("--b"), Just("--"), Just("\n"), Just("\r"), Just("b"), Just(" "),
            Just("Content-Disposition: form-data; name=\"model\""), Just("\r\n\r\n"), Just("m"),
            Just("Content-Disposition: form-data; name=f"), Just("\r\n--b\r\n"), Just("--b--\r\n"),
        ], 0..20),
        step in 1_usize..50,
    ) {
        let form = pieces.concat();
        let whole = models(KIND, &[], form.as_bytes(), form.len().max(1));
        prop_assert_eq!(models(KIND, &[], form.as_bytes(), step), whole);
    }
}
