//! From tokens to a tree: precedence as in CEL, every name resolved, every pattern compiled.

use super::lex::{Token, tokens};
use super::{Arithmetic, Compare, DEPTH_MAX, Expr, Fault, Kind, NODES_MAX, Name, Quantifier, TextTest};
use crate::bundle::pattern::Patterns;

/// Parses a whole condition.
pub(super) fn parse(source: &str, patterns: &mut Patterns) -> Result<Expr, Fault> {
    let tokens = tokens(source)?;
    let mut parser = Parser { tokens, next: 0, nodes: 0, depth: 0, bound: Vec::new(), patterns };
    let root = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(root),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'p> {
    tokens: Vec<(usize, Token)>,
    next: usize,
    nodes: u32,
    depth: u32,
    bound: Vec<String>,
    patterns: &'p mut Patterns,
}

/// The parsed operands of an operator, boxed.
type Pair = (Box<Expr>, Box<Expr>);

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(_, token)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |(at, _)| *at)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(next) if *next == sign);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), Fault> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let found = match self.peek() {
            Token::Name(name) => format!("`{name}`"),
            Token::Text(_) => "a text".to_owned(),
            Token::Number(number) => format!("`{number}`"),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        };
        Fault::new(
            self.at(),
            format!("expected {wanted} in the condition, found {found}"),
            "conditions are CEL expressions",
        )
    }

    fn node(&mut self, at: usize, kind: Kind) -> Result<Expr, Fault> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Fault::new(at, format!("keep a condition to {NODES_MAX} terms"), "split the rule"));
        }
        Ok(Expr { at, kind })
    }

    fn expression(&mut self) -> Result<Expr, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::new(self.at(), format!("nest a condition at most {DEPTH_MAX} deep"), "split the rule"));
        }
        let at = self.at();
        let condition = self.or()?;
        let whole = if self.take("?") {
            let yes = self.or()?;
            self.expect(":")?;
            let no = self.expression()?;
            self.node(at, Kind::If(Box::new(condition), Box::new(yes), Box::new(no)))?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(whole)
    }

    fn or(&mut self) -> Result<Expr, Fault> {
        let mut left = self.and()?;
        while self.take("||") {
            let right = self.and()?;
            left = self.node(left.at, Kind::Or(Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, Fault> {
        let mut left = self.relation()?;
        while self.take("&&") {
            let right = self.relation()?;
            left = self.node(left.at, Kind::And(Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    fn relation(&mut self) -> Result<Expr, Fault> {
        const OPERATORS: [(&str, Compare); 6] = [
            ("==", Compare::Equal),
            ("!=", Compare::NotEqual),
            ("<=", Compare::LessOrEqual),
            (">=", Compare::GreaterOrEqual),
            ("<", Compare::Less),
            (">", Compare::Greater),
        ];
        let left = self.sum()?;
        let at = self.at();
        let compare = OPERATORS.iter().find(|(sign, _)| self.take(sign)).map(|(_, compare)| *compare);
        let is_in = compare.is_none() && matches!(self.peek(), Token::Name(name) if name == "in");
        self.next += usize::from(is_in);
        if compare.is_none() && !is_in {
            return Ok(left);
        }
        let (left, right): Pair = (Box::new(left), Box::new(self.sum()?));
        match compare {
            Some(compare) => self.node(at, Kind::Compare(compare, left, right)),
            None => self.node(at, Kind::In(left, right)),
        }
    }

    fn sum(&mut self) -> Result<Expr, Fault> {
        let mut left = self.product()?;
        loop {
            let at = self.at();
            let operator = if self.take("+") {
                Arithmetic::Add
            } else if self.take("-") {
                Arithmetic::Subtract
            } else {
                return Ok(left);
            };
            let right = self.product()?;
            left = self.node(at, Kind::Arithmetic(operator, Box::new(left), Box::new(right)))?;
        }
    }

    fn product(&mut self) -> Result<Expr, Fault> {
        let mut left = self.unary()?;
        loop {
            let at = self.at();
            if matches!(self.peek(), Token::Sign("/" | "%")) {
                let hint = "compare with a product instead, as in args.a < 2 * args.b";
                return Err(Fault::new(at, "conditions do not divide: the quotient need not be exact", hint));
            }
            if !self.take("*") {
                return Ok(left);
            }
            let right = self.unary()?;
            left = self.node(at, Kind::Arithmetic(Arithmetic::Multiply, Box::new(left), Box::new(right)))?;
        }
    }

    fn unary(&mut self) -> Result<Expr, Fault> {
        let at = self.at();
        let not = self.take("!");
        if !not && !self.take("-") {
            return self.member();
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::new(at, format!("nest a condition at most {DEPTH_MAX} deep"), "split the rule"));
        }
        let inner = Box::new(self.unary()?);
        self.depth -= 1;
        self.node(at, if not { Kind::Not(inner) } else { Kind::Negative(inner) })
    }

    fn member(&mut self) -> Result<Expr, Fault> {
        let mut left = self.primary()?;
        loop {
            let at = self.at();
            if self.take("[") {
                let index = self.expression()?;
                self.expect("]")?;
                left = self.node(at, Kind::Index(Box::new(left), Box::new(index)))?;
            } else if self.take(".") {
                let at = self.at();
                let name = self.name()?;
                left = if self.take("(") {
                    self.method(left, at, &name)?
                } else {
                    self.node(at, Kind::Member(Box::new(left), name.into()))?
                };
            } else {
                return Ok(left);
            }
        }
    }

    fn name(&mut self) -> Result<String, Fault> {
        let Token::Name(name) = self.peek() else { return Err(self.unexpected("a name")) };
        let name = name.clone();
        self.next += 1;
        Ok(name)
    }

    fn method(&mut self, on: Expr, at: usize, name: &str) -> Result<Expr, Fault> {
        let on = Box::new(on);
        let kind = match name {
            "size" => Kind::Size(on),
            "lowerAscii" => Kind::LowerAscii(on),
            "startsWith" => Kind::TextTest(TextTest::StartsWith, on, Box::new(self.expression()?)),
            "endsWith" => Kind::TextTest(TextTest::EndsWith, on, Box::new(self.expression()?)),
            "contains" => Kind::TextTest(TextTest::Contains, on, Box::new(self.expression()?)),
            "matches" => {
                let at = self.at();
                let Token::Text(pattern) = self.peek().clone() else { return Err(self.unexpected("a quoted pattern")) };
                self.next += 1;
                let fault = |(message, hint): (String, Option<&'static str>)| {
                    Fault::new(at, message, hint.unwrap_or("use fewer and shorter patterns"))
                };
                Kind::Matches(on, self.patterns.compile_text(&pattern).map_err(fault)?)
            }
            "all" => self.quantified(Quantifier::All, on)?,
            "exists" => self.quantified(Quantifier::Exists, on)?,
            "exists_one" | "existsOne" => self.quantified(Quantifier::ExistsOne, on)?,
            other => {
                let hint = "use size, lowerAscii, startsWith, endsWith, contains, matches, all, exists or exists_one";
                return Err(Fault::new(at, format!("conditions have no function `{other}`"), hint));
            }
        };
        self.expect(")")?;
        self.node(at, kind)
    }

    fn quantified(&mut self, quantifier: Quantifier, list: Box<Expr>) -> Result<Kind, Fault> {
        let at = self.at();
        let name = self.name()?;
        if resolve(&name, None).is_some() || self.bound.contains(&name) {
            return Err(Fault::new(at, format!("`{name}` has a meaning already"), "name the variable otherwise"));
        }
        self.expect(",")?;
        self.bound.push(name);
        let body = self.expression()?;
        self.bound.pop();
        Ok(Kind::Quantified(quantifier, list, Box::new(body)))
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        let at = self.at();
        let token = self.peek().clone();
        match token {
            Token::Text(text) => {
                self.next += 1;
                self.node(at, Kind::Text(text.into()))
            }
            Token::Number(number) => {
                self.next += 1;
                self.node(at, Kind::Number(number))
            }
            Token::Sign("(") => {
                self.next += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                self.next += 1;
                let mut items = Vec::new();
                while !self.take("]") {
                    items.push(self.expression()?);
                    if !self.take(",") {
                        self.expect("]")?;
                        break;
                    }
                }
                self.node(at, Kind::List(items))
            }
            Token::Name(name) => {
                self.next += 1;
                self.named(at, &name)
            }
            Token::Sign(_) | Token::End => Err(self.unexpected("a value")),
        }
    }

    fn named(&mut self, at: usize, name: &str) -> Result<Expr, Fault> {
        let kind = match name {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            "size" if self.take("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                Kind::Size(Box::new(inner))
            }
            "has" if self.take("(") => {
                let inner = self.member()?;
                self.expect(")")?;
                let Kind::Member(on, member) = inner.kind else {
                    return Err(Fault::new(at, "has asks about a member", "write it as has(args.name)"));
                };
                Kind::Has(on, member)
            }
            "run" | "context" => {
                self.expect(".")?;
                let member_at = self.at();
                let member = self.name()?;
                Kind::Name(resolve(name, Some(&member)).ok_or_else(|| {
                    let hint = "run has calls, denied, egress, sensitive_reads and mode; context has risk_milli and labels";
                    Fault::new(member_at, format!("`{name}` has no `{member}`"), hint)
                })?)
            }
            name => match self.bound.iter().position(|bound| bound == name) {
                Some(place) => Kind::Name(Name::Bound(u32::try_from(place).unwrap_or(u32::MAX))),
                None => Kind::Name(resolve(name, None).ok_or_else(|| {
                    let hint = "use args, tool, class, action, actions, category, risk_tier, subject, environment, run, taint, \
                                context or time";
                    Fault::new(at, format!("`{name}` has no meaning in a condition"), hint)
                })?),
            },
        };
        self.node(at, kind)
    }
}

fn resolve(name: &str, member: Option<&str>) -> Option<Name> {
    Some(match (name, member) {
        ("args", None) => Name::Args,
        ("tool", None) => Name::Tool,
        ("class", None) => Name::Class,
        ("action", None) => Name::Action,
        ("actions", None) => Name::Actions,
        ("category", None) => Name::Category,
        ("risk_tier", None) => Name::RiskTier,
        ("subject", None) => Name::Subject,
        ("chain", None) => Name::Chain,
        ("environment", None) => Name::Environment,
        ("taint", None) => Name::Taint,
        ("time", None) => Name::Time,
        ("run", Some("calls")) => Name::RunCalls,
        ("run", Some("denied")) => Name::RunDenied,
        ("run", Some("egress")) => Name::RunEgress,
        ("run", Some("sensitive_reads")) => Name::RunSensitiveReads,
        ("run", Some("mode")) => Name::RunMode,
        ("context", Some("risk_milli")) => Name::RiskMilli,
        ("context", Some("labels")) => Name::Labels,
        _ => return None,
    })
}
