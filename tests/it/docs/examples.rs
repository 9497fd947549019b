//! Blocks of TOML are loaded, JSON is parsed, Rust is compiled elsewhere, YAML holds a
//! configuration, and each `curl` is sent to hone in front of a simulated provider.

use std::fs;
use std::path::Path;

use http::Method;
use serde_json::Value;

use super::{Block, Page, root, shell, sources};
use crate::support::parts::{Config, Knobs};
use crate::support::setup::Upstream;
use crate::support::{Answer, Client, hone, upstream};

/// Where the documents' configurations expect files.
const PLACES: [&str; 2] = ["/etc/hone/keys", "/run/secrets"];

/// Loads a configuration of the documents; files that it names are made first.
fn load(page: &str, text: &str) -> Config {
    let folder = tempfile::tempdir().expect("fixture: a folder");
    let mut text = text.to_owned();
    for place in PLACES {
        let quoted = text.replace(place, &folder.path().display().to_string());
        for path in quoted
            .split('"')
            .filter(|part| Path::new(part).starts_with(folder.path()))
        {
            fs::write(path, "a-key").expect("fixture: a file");
        }
        text = quoted;
    }
    Config::parse(&text, &|_| Some("a-key".to_owned()))
        .unwrap_or_else(|errors| panic!("{page}: {errors}\n{text}"))
}

#[test]
fn every_configuration_is_right_and_without_risks() {
    let mut count = 0;
    for page in Page::all() {
        for block in page.blocks_of("toml") {
            let config = load(&page.path, &block);
            assert_eq!(config.warnings, Vec::<String>::new(), "{}", page.path);
            count += 1;
        }
    }
    assert!(count >= 8, "{count} configurations");
}

#[test]
fn the_manifest_for_kubernetes_fits_its_configuration() {
    let page = Page::read("docs/operating.md");
    let manifest = page.blocks_of("yaml").concat();
    assert!(!manifest.contains('\t'), "tabs are no indentation");
    let (_, rest) = manifest
        .split_once("  hone.toml: |\n")
        .expect("a configuration");
    let lines = rest.lines().map_while(|line| line.strip_prefix("    "));
    let config = load(&page.path, &lines.collect::<Vec<_>>().join("\n"));
    let admin = config.admin.expect("an admin listener");
    for (name, port) in [("http", config.listen.port()), ("admin", admin.port())] {
        let told = format!("{{name: {name}, containerPort: {port}}}");
        assert!(manifest.contains(&told), "{told}");
    }
    let probes = page.section("Probes");
    for probe in manifest.split("path: /").skip(1) {
        let path = probe.split(',').next().unwrap_or_default();
        assert!(probes.contains(&format!("`/{path}`")), "/{path}");
    }
    let seconds = |key: &str| -> u64 {
        let found = manifest.split(key).nth(1).expect("a number of seconds");
        let digits = found.trim_start_matches([':', ' ']);
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    };
    assert!(
        seconds("terminationGracePeriodSeconds")
            > (config.bounds.drain_delay + config.bounds.drain).as_secs() + 3,
        "the pod is killed before hone has drained"
    );
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("fixture: a file")
}

/// What stands behind `key` in a line of a YAML list or mapping.
fn values<'a>(yaml: &'a str, key: &str) -> Vec<&'a str> {
    let lines = yaml.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix(key))
        .map(str::trim)
        .collect()
}

#[test]
fn the_compose_file_runs_what_the_page_runs_and_passes_what_that_reads() {
    let compose = read("compose.yaml");
    let page = Page::read("docs/operating.md");
    let run = page.section("Docker");
    let mount = "./config:/etc/hone:ro";
    let command = values(&compose, "command:").concat();
    let words = command.trim_matches(['[', ']']).replace(['"', ','], "");
    assert!(run.contains(&words), "{words}");
    assert!(
        run.contains(&format!("-v {mount}")),
        "the directory, not the file"
    );
    assert_eq!(values(&compose, "- ./config"), [":/etc/hone:ro"]);
    let file = words
        .split(' ')
        .find_map(|word| word.strip_prefix("/etc/hone/"));
    let text = read(&format!("config/{}", file.expect("a file of the mount")));
    let config = load("config", &text);
    let port = config.listen.port();
    assert_eq!(
        values(&compose, "- \"127.0.0.1:"),
        [format!("{port}:{port}\"")]
    );
    assert!(run.contains(&format!("-p {port}:{port}")));
    for name in text
        .split("env = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        assert_eq!(
            values(&compose, &format!("- {name}")),
            [""],
            "{name} is passed on"
        );
        assert!(run.contains(&format!("-e {name} ")), "{name}");
    }
    let grace = values(&compose, "stop_grace_period:").concat();
    let grace: u64 = grace.trim_end_matches('s').parse().expect("seconds");
    assert!(grace > (config.bounds.drain_delay + config.bounds.drain).as_secs() + 3);
    if config.admin.is_some_and(|admin| admin.ip().is_loopback()) {
        assert!(run.contains("on the container's own 127.0.0.1"));
    }
}

#[test]
fn images_have_whole_names_and_what_the_page_says_is_not_in_them() {
    let docker = read("Dockerfile");
    for image in values(&docker, "FROM ") {
        let host = image.split('/').next().unwrap_or_default();
        assert!(host.contains('.'), "{image}");
    }
    let page = Page::read("docs/operating.md");
    let section = page.section("Docker");
    assert_eq!(docker.contains("z3"), section.contains("has z3"));
    assert_eq!(
        docker.contains("nonroot"),
        section.contains("unprivileged user")
    );
}

#[test]
fn every_json_block_is_json() {
    for page in Page::all() {
        for block in page.blocks_of("json") {
            if let Err(error) = serde_json::from_str::<Value>(&block) {
                panic!("{}: {error}\n{block}", page.path);
            }
        }
    }
}

#[test]
fn every_rust_block_stands_in_a_file_that_is_compiled() {
    let examples = sources("strategies/examples");
    for page in Page::all() {
        for block in page
            .blocks()
            .iter()
            .filter(|block| block.language.starts_with("rust"))
        {
            assert_eq!(block.language, "rust", "{}", page.path);
            assert!(
                examples.iter().any(|(_, text)| *text == block.text),
                "{}: no file below strategies/examples is\n{}",
                page.path,
                block.text
            );
        }
    }
}

#[tokio::test]
async fn every_curl_is_answered_as_the_page_says() {
    let provider = upstream().await;
    let hone = hone()
        .upstream_with(&provider, |upstream| upstream.fallback_for("anyone"))
        .limit("requests_per_minute", 600)
        .start();
    let mut count = 0;
    for page in Page::all() {
        for (command, shown) in requests(&page.blocks()) {
            let answer = send(hone.keyless(), &command).await;
            let told = format!("{}: {command:?}: {answer}", page.path);
            assert_eq!(answer.status, 200, "{told}");
            if let Some(shown) = shown {
                assert_eq!(names(&shown), names(&answer.json()), "{told}");
            }
            count += 1;
        }
    }
    assert!(count >= 4, "{count} requests");
}

#[tokio::test]
async fn the_first_curl_is_answered_right_and_says_what_it_took() {
    let provider = upstream().await;
    // As `hone sim` does.
    provider.set(Knobs {
        arithmetic: true,
        ..Knobs::default()
    });
    let hone = hone().upstream_with(&provider, Upstream::keyless).start();
    let page = Page::read("README.md");
    let curls = requests(&page.blocks());
    let (first, _) = curls.first().expect("a curl");
    let answer = send(hone.keyless(), first).await;
    let said = &answer.assert_ok().json()["choices"][0]["message"]["content"];
    let said = said.as_str().unwrap_or_default();
    assert!(said.ends_with("The answer is 112"), "{answer}");
    assert!(page.text.contains("The answer is 112."));
    for name in ["x-hone-approach", "x-hone-upstream-calls"] {
        let told = format!("`{name}: {}`", answer.header(name));
        assert!(page.text.contains(&told), "README.md: {told}");
    }
}

/// The `curl` commands among `blocks`, each with the JSON that is shown below it.
fn requests(blocks: &[Block<'_>]) -> Vec<(Vec<String>, Option<Value>)> {
    let mut requests = Vec::new();
    let scripts = blocks.iter().enumerate();
    for (index, script) in scripts.filter(|(_, block)| block.language == "sh") {
        let below = blocks.get(index + 1).filter(|next| next.language == "json");
        let shown: Option<Value> =
            below.map(|block| serde_json::from_str(&block.text).expect("JSON"));
        let commands = shell::commands(&script.text).into_iter();
        let sent = commands.filter(|words| words.first().is_some_and(|word| word == "curl"));
        requests.extend(sent.map(|command| (command, shown.clone())));
    }
    requests
}

/// The names of an object's members.
fn names(value: &Value) -> Vec<&String> {
    let members = value.as_object().expect("an object");
    let mut names: Vec<_> = members.keys().collect();
    names.sort();
    names
}

/// Sends what a `curl` command would send.
async fn send(mut client: Client, command: &[String]) -> Answer {
    let (mut path, mut body) = (String::new(), None);
    let mut words = command.iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-H" => {
                let header = words.next().expect("a header");
                let (name, value) = header.split_once(':').expect("a header");
                client = client.header(name, value.trim());
            }
            "-d" => body = words.next().cloned(),
            "-s" | "-i" | "-N" => {}
            url => {
                let rest = url
                    .strip_prefix("http://127.0.0.1:8000")
                    .unwrap_or_else(|| panic!("{command:?}: not sent to hone's usual address"));
                rest.clone_into(&mut path);
            }
        }
    }
    match body {
        Some(body) => client.send(Method::POST, &path, body).await,
        None => client.get(&path).await,
    }
}

#[test]
fn every_configuration_file_is_named_in_the_documents() {
    let page = Page::read("docs/configuration.md");
    for entry in fs::read_dir(root().join("config"))
        .expect("a folder")
        .flatten()
    {
        let name = format!("config/{}", entry.file_name().to_string_lossy());
        assert!(page.text.contains(&name), "{name}");
    }
}
