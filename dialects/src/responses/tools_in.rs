//! Tools and the choice among them, read from a client.

use std::collections::{BTreeMap, BTreeSet};

use hone_strategies::chat::{End, Origin};
use serde_json::{Map, Value, json};

use super::content_in::has_only;
use super::tools::{Special, Tools, flat};
use crate::functions::{held, of_text};
use crate::shape::Refusal;
use crate::wire::json::{str_of, wanted};

/// Members of a function that chat can say.
const PLAIN: [&str; 5] = ["type", "name", "description", "parameters", "strict"];

/// The type of an item that has tools. It stands among a client's tools as well, behind them.
pub(super) const ADDITIONAL: &str = "additional_tools";

/// What a list of tools comes to.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// As chat has them.
    pub(super) functions: Vec<Value>,
    /// What chat calls them.
    names: BTreeSet<String>,
    /// How many names like one have been tried in its place.
    tries: BTreeMap<String, usize>,
    /// Those that are more than functions.
    pub(super) tools: Tools,
    /// Whether chat says all of it.
    pub(super) is_plain: bool,
    /// What becomes of the rest in another dialect.
    pub(super) fates: Vec<(String, End)>,
    /// Where those stand that only their provider runs.
    provided: Vec<String>,
    /// Whether the tools that are read stand for others of the same names.
    replaces: bool,
}

/// Reads the tools.
pub(super) fn read(tools: &[Value]) -> Result<Read, Refusal> {
    let mut read = Read {
        is_plain: true,
        ..Read::default()
    };
    for (index, tool) in tools.iter().enumerate() {
        let path = format!("tools.{index}");
        if is_additional(tool) {
            read.additional(tool, &path)?;
        } else {
            read.add(tool, "", &path)?;
        }
    }
    Ok(read)
}

/// Whether an item has tools.
pub(super) fn is_additional(item: &Value) -> bool {
    str_of(item, "type") == ADDITIONAL
}

/// The special tools of a client's request. There are none unless the client speaks this dialect.
pub(super) fn special(origin: Option<&Origin>) -> Tools {
    let own = origin.filter(|origin| origin.dialect == super::said::OWN);
    let read = own.and_then(|origin| read(&origin.tools).ok());
    read.map(|read| read.tools).unwrap_or_default()
}

impl Read {
    fn add(&mut self, tool: &Value, namespace: &str, path: &str) -> Result<(), Refusal> {
        match str_of(tool, "type") {
            "function" => self.function(tool, namespace, path),
            "custom" => self.custom(tool, namespace, path),
            "namespace" if namespace.is_empty() => self.namespace(tool, path),
            "" => Err(wanted(&format!("{path}.type"), "the name of a tool's type")),
            _ => {
                self.is_plain = false;
                self.provided.push(path.to_owned());
                Ok(())
            }
        }
    }

    /// Adds the tools of an item. They are in force from then on, and stand for those that were
    /// called the same.
    pub(super) fn additional(&mut self, item: &Value, path: &str) -> Result<(), Refusal> {
        self.is_plain = false;
        let path = format!("{path}.tools");
        let tools = item.get("tools").and_then(Value::as_array);
        let tools = tools.ok_or_else(|| wanted(&path, "an array of tools"))?;
        self.replaces = true;
        for (index, tool) in tools.iter().enumerate() {
            self.add(tool, "", &format!("{path}.{index}"))?;
        }
        self.replaces = false;
        Ok(())
    }

    /// Leaves out the tool that chat calls `name`, if it is the one that is added again.
    fn replace(&mut self, name: &str, special: Option<&Special>) {
        if self.replaces && self.names.contains(name) && self.tools.get(name) == special {
            self.names.remove(name);
            self.functions
                .retain(|tool| str_of(held(tool), "name") != name);
        }
    }

    fn namespace(&mut self, tool: &Value, path: &str) -> Result<(), Refusal> {
        self.is_plain = false;
        let namespace = str_of(tool, "name");
        let tools = tool.get("tools").and_then(Value::as_array);
        for (index, tool) in tools.into_iter().flatten().enumerate() {
            self.add(tool, namespace, &format!("{path}.tools.{index}"))?;
        }
        Ok(())
    }

    /// The name that chat gives the tool, which no other tool has.
    fn named(
        &mut self,
        tool: &Value,
        namespace: &str,
        is_custom: bool,
        path: &str,
    ) -> Result<String, Refusal> {
        let own = str_of(tool, "name");
        if own.is_empty() {
            return Err(wanted(&format!("{path}.name"), "a string"));
        }
        let mut name = flat(namespace, own);
        if namespace.is_empty() && !is_custom {
            self.replace(&name, None);
        } else {
            let namespace = (!namespace.is_empty()).then(|| namespace.to_owned());
            let special = Special {
                namespace,
                name: own.to_owned(),
                is_custom,
            };
            self.replace(&name, Some(&special));
            name = self.unused(name);
            self.tools.add(name.clone(), special);
        }
        self.names.insert(name.clone());
        Ok(name)
    }

    /// `name`, or one like it that no other tool has. A list may hold one name again and again:
    /// what has been tried is not tried again.
    fn unused(&mut self, name: String) -> String {
        if !self.names.contains(&name) {
            return name;
        }
        let tries = self.tries.entry(name.clone()).or_default();
        loop {
            *tries += 1;
            let other = match *tries {
                1 => format!("{name}_"),
                number => format!("{name}_{number}"),
            };
            if !self.names.contains(&other) {
                return other;
            }
        }
    }

    fn function(&mut self, tool: &Value, namespace: &str, path: &str) -> Result<(), Refusal> {
        let mut function = Map::new();
        let name = self.named(tool, namespace, false, path)?;
        function.insert("name".to_owned(), name.into());
        for field in ["description", "parameters", "strict"] {
            if let Some(value) = tool.get(field).filter(|value| !value.is_null()) {
                function.insert(field.to_owned(), value.clone());
            }
        }
        self.is_plain &= has_only(tool, &PLAIN);
        self.functions
            .push(json!({"type": "function", "function": function}));
        Ok(())
    }

    /// A tool that takes a text becomes a function that takes one; a grammar is only described.
    fn custom(&mut self, tool: &Value, namespace: &str, path: &str) -> Result<(), Refusal> {
        self.is_plain = false;
        let name = self.named(tool, namespace, true, path)?;
        let (function, has_format) = of_text(&name, tool);
        if has_format {
            self.fates.push((format!("{path}.format"), End::Degrade));
        }
        self.functions.push(function);
        Ok(())
    }

    /// Reads the client's choice among the tools: what chat calls it. Leaves out what the choice
    /// does not allow.
    pub(super) fn choose(&mut self, choice: Option<&Value>) -> Result<Option<Value>, Refusal> {
        let chosen = match choice {
            None => None,
            Some(Value::String(word)) if matches!(&**word, "auto" | "none" | "required") => {
                Some(json!(word))
            }
            Some(choice) => match str_of(choice, "type") {
                "function" | "custom" => self.one(choice),
                "allowed_tools" => self.allowed(choice),
                "" => {
                    let what = "`auto`, `none`, `required` or an object with a type";
                    return Err(wanted("tool_choice", what));
                }
                kind => {
                    self.refuse(&format!("Only its own provider runs a tool like `{kind}`."));
                    None
                }
            },
        };
        self.without(chosen.as_ref());
        Ok(chosen)
    }

    fn refuse(&mut self, why: &str) {
        let end = End::Refuse(why.to_owned());
        self.fates.push(("tool_choice".to_owned(), end));
    }

    /// What chat calls the tool that `choice` names.
    fn flat(&self, choice: &Value) -> Option<String> {
        let name = flat(str_of(choice, "namespace"), str_of(choice, "name"));
        self.names.contains(&name).then_some(name)
    }

    fn one(&mut self, choice: &Value) -> Option<Value> {
        let Some(name) = self.flat(choice) else {
            self.refuse("The tool that must be called is none of `tools`.");
            return None;
        };
        Some(json!({"type": "function", "function": {"name": name}}))
    }

    /// Chat allows all tools that it is given.
    fn allowed(&mut self, choice: &Value) -> Option<Value> {
        let tools = choice.get("tools").and_then(Value::as_array);
        let tools = tools.into_iter().flatten();
        let allowed: BTreeSet<String> = tools.filter_map(|tool| self.flat(tool)).collect();
        self.functions.retain(|tool| {
            let name = tool.pointer("/function/name").and_then(Value::as_str);
            name.is_some_and(|name| allowed.contains(name))
        });
        let mode = str_of(choice, "mode");
        if self.functions.is_empty() && mode == "required" {
            self.refuse("No tool that may be called can be told to another provider.");
            return None;
        }
        (!self.functions.is_empty()).then(|| json!(mode))
    }

    /// Says what becomes of tools that only their provider runs.
    fn without(&mut self, chosen: Option<&Value>) {
        let is_off = chosen.is_some_and(|chosen| chosen == "none");
        let is_needed = self.functions.is_empty() && !is_off;
        for path in std::mem::take(&mut self.provided) {
            let end = if is_needed {
                End::Refuse("Only its own provider runs this tool.".to_owned())
            } else {
                End::Degrade
            };
            self.fates.push((path, end));
        }
    }
}
