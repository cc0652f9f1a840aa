//! Types of a condition, as far as they are known before a call: what can never fit is refused when the bundle is read.

use super::{Arithmetic, Compare, Expr, Fault, Kind, Name};

/// A type; arguments are of any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Any,
    Null,
    Bool,
    Number,
    Text,
    List,
    Texts,
    Map,
}

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Type::Any => "anything",
            Type::Null => "null",
            Type::Bool => "a boolean",
            Type::Number => "a number",
            Type::Text => "a text",
            Type::List | Type::Texts => "a list",
            Type::Map => "an object",
        }
    }

    fn is_list(self) -> bool {
        matches!(self, Type::List | Type::Texts)
    }

    fn fits(self, other: Type) -> bool {
        self == Type::Any || other == Type::Any || self == other || (self.is_list() && other.is_list())
    }
}

/// Checks a whole condition, which must say true or false.
pub(super) fn check(root: &Expr) -> Result<(), Fault> {
    want(root, Type::Bool, &mut Vec::new())
}

fn want(expr: &Expr, wanted: Type, bound: &mut Vec<Type>) -> Result<(), Fault> {
    let found = type_of(expr, bound)?;
    expect(expr, found, wanted)
}

fn expect(expr: &Expr, found: Type, wanted: Type) -> Result<(), Fault> {
    if found.fits(wanted) {
        return Ok(());
    }
    let message = format!("this must be {}, it is {}", wanted.name(), found.name());
    Err(Fault::new(expr.at, message, "compare values of the same type"))
}

fn both(a: &Expr, b: &Expr, wanted: Type, bound: &mut Vec<Type>) -> Result<(), Fault> {
    want(a, wanted, bound)?;
    want(b, wanted, bound)
}

/// The type of an expression. Every part is looked at once.
fn type_of(expr: &Expr, bound: &mut Vec<Type>) -> Result<Type, Fault> {
    Ok(match &expr.kind {
        Kind::Null => Type::Null,
        Kind::Bool(_) => Type::Bool,
        Kind::Number(_) => Type::Number,
        Kind::Text(_) => Type::Text,
        Kind::List(items) => {
            items.iter().try_for_each(|item| type_of(item, bound).map(|_| ()))?;
            Type::List
        }
        Kind::Name(name) => type_of_name(*name, bound),
        Kind::Member(on, _) => {
            want(on, Type::Map, bound)?;
            Type::Any
        }
        Kind::Has(on, _) => {
            want(on, Type::Map, bound)?;
            Type::Bool
        }
        Kind::Index(on, index) => type_of_index(on, index, bound)?,
        Kind::Not(inner) => {
            want(inner, Type::Bool, bound)?;
            Type::Bool
        }
        Kind::Negative(inner) => {
            want(inner, Type::Number, bound)?;
            Type::Number
        }
        Kind::And(a, b) | Kind::Or(a, b) => {
            both(a, b, Type::Bool, bound)?;
            Type::Bool
        }
        Kind::If(condition, yes, no) => {
            want(condition, Type::Bool, bound)?;
            let (yes, no) = (type_of(yes, bound)?, type_of(no, bound)?);
            if yes == no { yes } else { Type::Any }
        }
        Kind::Compare(compare, a, b) => {
            check_compare(expr, *compare, type_of(a, bound)?, type_of(b, bound)?)?;
            Type::Bool
        }
        Kind::In(item, list) => {
            let (found, container) = (type_of(item, bound)?, type_of(list, bound)?);
            if container == Type::Map {
                expect(item, found, Type::Text)?;
            } else {
                expect(list, container, Type::List)?;
            }
            Type::Bool
        }
        Kind::Arithmetic(operator, a, b) => type_of_arithmetic(*operator, a, b, bound)?,
        Kind::Size(_) | Kind::LowerAscii(_) | Kind::TextTest(..) | Kind::Matches(..) => type_of_function(expr, bound)?,
        Kind::Quantified(_, list, body) => {
            let found = type_of(list, bound)?;
            expect(list, found, Type::List)?;
            bound.push(if found == Type::Texts { Type::Text } else { Type::Any });
            want(body, Type::Bool, bound)?;
            bound.pop();
            Type::Bool
        }
    })
}

/// Functions of texts, and the size of what has one.
fn type_of_function(expr: &Expr, bound: &mut Vec<Type>) -> Result<Type, Fault> {
    match &expr.kind {
        Kind::Size(inner) => {
            let found = type_of(inner, bound)?;
            if matches!(found, Type::Null | Type::Bool | Type::Number) {
                let message = format!("{} has no size", found.name());
                return Err(Fault::new(inner.at, message, "texts, lists and objects have"));
            }
            Ok(Type::Number)
        }
        Kind::LowerAscii(inner) => want(inner, Type::Text, bound).map(|()| Type::Text),
        Kind::TextTest(_, text, part) => both(text, part, Type::Text, bound).map(|()| Type::Bool),
        Kind::Matches(text, _) => want(text, Type::Text, bound).map(|()| Type::Bool),
        _ => Ok(Type::Any),
    }
}

/// Numbers are added, subtracted and multiplied, texts are added; a sum of two values of which nothing is known may be either.
fn type_of_arithmetic(operator: Arithmetic, a: &Expr, b: &Expr, bound: &mut Vec<Type>) -> Result<Type, Fault> {
    let (left, right) = (type_of(a, bound)?, type_of(b, bound)?);
    let known = |wanted: Type| left == wanted || right == wanted;
    let wanted = if operator == Arithmetic::Add && known(Type::Text) { Type::Text } else { Type::Number };
    expect(a, left, wanted)?;
    expect(b, right, wanted)?;
    Ok(if operator == Arithmetic::Add && !known(wanted) { Type::Any } else { wanted })
}

fn type_of_index(on: &Expr, index: &Expr, bound: &mut Vec<Type>) -> Result<Type, Fault> {
    let (container, found) = (type_of(on, bound)?, type_of(index, bound)?);
    match container {
        Type::Map => expect(index, found, Type::Text)?,
        Type::List | Type::Texts => expect(index, found, Type::Number)?,
        Type::Any => {}
        other => {
            let message = format!("{} has no elements", other.name());
            return Err(Fault::new(on.at, message, "lists and objects have"));
        }
    }
    Ok(if container == Type::Texts { Type::Text } else { Type::Any })
}

fn check_compare(expr: &Expr, compare: Compare, left: Type, right: Type) -> Result<(), Fault> {
    let equality = matches!(compare, Compare::Equal | Compare::NotEqual);
    let fits = left.fits(right) || (equality && (left == Type::Null || right == Type::Null));
    let ordered = |found: Type| matches!(found, Type::Any | Type::Number | Type::Text);
    let comparable = equality || (ordered(left) && ordered(right));
    if !fits || !comparable {
        let message = format!("{} and {} are not compared like this", left.name(), right.name());
        return Err(Fault::new(expr.at, message, "compare values of the same type; order is for numbers and texts"));
    }
    Ok(())
}

fn type_of_name(name: Name, bound: &[Type]) -> Type {
    match name {
        Name::Args => Type::Map,
        Name::Tool | Name::Class | Name::Action | Name::Category | Name::RiskTier | Name::Subject => Type::Text,
        Name::Environment | Name::RunMode => Type::Text,
        Name::Actions | Name::Chain | Name::Taint | Name::Labels => Type::Texts,
        Name::Time | Name::RiskMilli => Type::Number,
        Name::RunCalls | Name::RunDenied | Name::RunEgress | Name::RunSensitiveReads => Type::Number,
        Name::Bound(place) => {
            usize::try_from(place).ok().and_then(|place| bound.get(place)).copied().unwrap_or(Type::Any)
        }
    }
}
