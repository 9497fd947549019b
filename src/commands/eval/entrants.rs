//! What is compared: approaches from the command line, and virtual models of a configuration.

use hone_strategies::{Expr, Params, PlanLimits};

use crate::commands::values;
use crate::config::Config;
use hone_eval::{Alias, Entrant};

/// The models that are asked plainly, and what is compared with them. A virtual model of `config`
/// stands for the model that it runs on, and is compared with that.
pub(super) fn of(
    names: &[String],
    entrants: &[Entrant],
    config: Option<&Config>,
) -> (Vec<String>, Vec<Entrant>) {
    let mut models: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for name in names {
        let known = config.into_iter().flat_map(|config| &config.models);
        let target = match known.into_iter().find(|model| model.name == *name) {
            None => name.clone(),
            Some(model) => {
                all.push(Entrant {
                    title: name.clone(),
                    approach: model.approach.to_string(),
                    params: model.params.clone(),
                    alias: Some(Alias {
                        name: name.clone(),
                        target: model.model.clone(),
                    }),
                });
                model.model.clone()
            }
        };
        if !models.contains(&target) {
            models.push(target);
        }
    }
    all.extend_from_slice(entrants);
    (models, all)
}

/// Reads `EXPR` or `EXPR:NAME=VALUE,…`, and checks what can be checked before anything is asked.
pub(super) fn entrant(text: &str) -> Result<Entrant, String> {
    let (approach, rest) = text.split_once(':').unwrap_or((text, ""));
    let expr = Expr::parse(approach).map_err(|error| error.to_string())?;
    let pairs = pairs(rest).into_iter().filter(|pair| !pair.is_empty());
    let params: Params = pairs.map(values::param).collect::<Result<_, _>>()?;
    hone_strategies::plan(&expr, &params, &PlanLimits::default()).map_err(|error| error.message)?;
    let known = hone_strategies::param_names(&expr);
    if let Some((name, _)) = params.iter().find(|(name, _)| !known.contains(name)) {
        return Err(format!(
            "`{approach}` has no parameter `{name}`; it has {}",
            known.join(", ")
        ));
    }
    Ok(Entrant {
        title: text.to_owned(),
        approach: expr.to_string(),
        params,
        alias: None,
    })
}

/// The parts between commas that stand outside of brackets and of JSON strings in them.
fn pairs(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if depth > 0 => quoted = !quoted,
            _ if quoted => {}
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_approach_is_checked_with_its_parameters() {
        let bon = entrant("bon:best_of_n=5").unwrap();
        assert_eq!(
            (bon.approach.as_str(), bon.params.get("best_of_n")),
            ("bon", Some(&5.into()))
        );
        assert_eq!(entrant("re2&moa").unwrap().title, "re2&moa");
        for wrong in [
            "nonsense",
            "bon:best_of_n=many",
            "bon:k=5",
            "bon:best_of_n",
            "a&&b",
        ] {
            assert!(entrant(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_and_objects_are_not_cut_at_their_commas() {
        let fusion = entrant(r#"fusion:fusion_models=["a","b, c"]"#).unwrap();
        assert_eq!(
            fusion.params.get("fusion_models"),
            Some(&json!(["a", "b, c"]))
        );
        assert_eq!(
            pairs(r#"a=1,b={"x":[1,2],"y":"],"},c=2"#),
            ["a=1", r#"b={"x":[1,2],"y":"],"}"#, "c=2"]
        );
        assert_eq!(pairs(r#"a=["\"],",1],b"#), [r#"a=["\"],",1]"#, "b"]);
        assert_eq!(pairs("a=1],b=2"), ["a=1]", "b=2"]);
    }

    #[test]
    fn a_virtual_model_is_compared_with_the_model_it_runs_on() {
        let text = "[[upstream]]\nname = \"a\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
            [[model]]\nname = \"careful\"\nmodel = \"small\"\napproach = \"bon\"\n";
        let config = Config::parse(text, &|_| None).unwrap();
        let names = ["careful", "small", "other"].map(str::to_owned);
        let (models, entrants) = of(&names, &[entrant("re2").unwrap()], Some(&config));
        assert_eq!(models, ["small", "other"]);
        assert_eq!(
            (entrants[0].title.as_str(), entrants[1].title.as_str()),
            ("careful", "re2")
        );
        assert_eq!(entrants[0].alias.as_ref().unwrap().target, "small");
        assert_eq!(
            of(&names, &[], None).0,
            names,
            "without a configuration all are models"
        );
    }
}
