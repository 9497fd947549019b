//! The value of a program.

use std::collections::HashMap;

use super::Refusal;
use super::exact::Exact;
use super::syntax::{Expression, Function, Line, Operator};

/// Names that say that a value is the result.
const RESULTS: [&str; 2] = ["answer", "result"];

type Names<'a> = HashMap<&'a str, Exact>;

/// What the program prints last; without a `print`, what its last line calls its result.
pub(super) fn result(lines: &[Line<'_>]) -> Result<Exact, Refusal> {
    let mut names = Names::new();
    let mut printed = None;
    let mut latest = None;
    for line in lines {
        match line {
            Line::Print(expression) => printed = Some(value(expression, &names)?),
            Line::Assign(name, expression) => {
                let value = value(expression, &names)?;
                latest = RESULTS.contains(name).then(|| value.clone());
                names.insert(name, value);
            }
        }
    }
    printed.or(latest).ok_or(Refusal::NoResult)
}

fn value(expression: &Expression<'_>, names: &Names<'_>) -> Result<Exact, Refusal> {
    match expression {
        Expression::Number(number) => Ok(number.clone()),
        Expression::Name(name) => names.get(name).cloned().ok_or(Refusal::Unknown),
        Expression::Negated(of) => Ok(value(of, names)?.negate()),
        Expression::Power(base, exponent) => value(base, names)?.power(&value(exponent, names)?),
        Expression::Chain(first, others) => {
            let first = value(first, names)?;
            others.iter().try_fold(first, |left, (operator, right)| {
                applied(*operator, &left, &value(right, names)?)
            })
        }
        // `sum = 3` leaves nothing that could be called by this name.
        Expression::Call(name, ..) if names.contains_key(name) => Err(Refusal::Syntax),
        Expression::Call(_, function, arguments) => {
            let arguments: Result<Vec<Exact>, Refusal> = arguments
                .iter()
                .map(|argument| value(argument, names))
                .collect();
            called(*function, &arguments?)
        }
    }
}

fn applied(operator: Operator, left: &Exact, right: &Exact) -> Result<Exact, Refusal> {
    match operator {
        Operator::Add => left.add(right),
        Operator::Divide => left.divide(right),
        Operator::FloorDivide => left.floor_divide(right),
        Operator::Modulo => left.modulo(right),
        Operator::Multiply => left.multiply(right),
        Operator::Subtract => left.subtract(right),
    }
}

fn called(function: Function, arguments: &[Exact]) -> Result<Exact, Refusal> {
    match (function, arguments) {
        (Function::Absolute, [of]) => Ok(of.absolute()),
        (Function::Number, [of]) => Ok(of.clone()),
        (Function::Truncate, [of]) => Ok(of.truncate()),
        (Function::Round, [of]) => of.round(None),
        (Function::Round, [of, places]) => of.round(Some(places)),
        (Function::Sum, all) => all
            .iter()
            .try_fold(Exact::zero(), |sum, next| sum.add(next)),
        (Function::Greatest, all) => all.iter().max().cloned().ok_or(Refusal::Syntax),
        (Function::Least, all) => all.iter().min().cloned().ok_or(Refusal::Syntax),
        _ => Err(Refusal::Syntax),
    }
}
