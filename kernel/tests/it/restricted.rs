//! A restricted run that has read something sensitive sends nothing out in the shape of a request that only reads.

use crate::support::calls::*;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;

const SOURCE: &str = "
name: restricted
version: 1
tools:
  - name: page.get
    class: http
    action: get
    category: read
    schema:
      type: object
      properties:
        url: {type: string}
        query: {type: string}
        qs: {type: object, additionalProperties: true}
        Params: {type: array}
        options: {type: object, additionalProperties: true}
        headers: {type: array}
        timeout: {type: integer}
  - {name: web.search, class: search, action: find, category: read, egress: true, inputs: {q: {type: string}}}
  - {name: db.find, class: database, action: select, category: read, inputs: {query: {type: string}}}
  - {name: secret.read, class: file, action: read, category: read, sensitivity: secret}
principals:
  - subject: agent-1
    capabilities: [{class: http, actions: [get]}, {class: search, actions: [find]}, {class: database, actions: [select]}, {class: file, actions: [read]}]
rules:
  - {id: bad, priority: 1, match: {tool: page.get, parameters: {url: {in: ['https://bad.example/']}}}, decision: deny}
  - {id: rest, priority: 900, match: {toolClass: [http, search, database, file]}, decision: allow}
limits: {strikes: 1}
";

#[test]
fn no_shape_of_a_query_leaves_a_restricted_run_that_has_read_something_sensitive() {
    let carrying = [
        ("page.get", r#"{"url":"https://ok.example/?q=1"}"#),
        ("page.get", r#"{"url":"https://ok.example/","query":"secret"}"#),
        ("page.get", r#"{"url":"https://ok.example/","qs":{"a":"secret"}}"#),
        ("page.get", r#"{"url":"https://ok.example/","Params":["secret"]}"#),
        ("page.get", r#"{"url":"https://ok.example/","options":{"data":"secret"}}"#),
        ("page.get", r#"{"url":"https://ok.example/","options":{"more":{"url":"https://ok.example/#secret"}}}"#),
        ("page.get", r#"{"url":"https://ok.example/","headers":["referer: https://ok.example/?secret"]}"#),
        ("web.search", r#"{"q":"secret"}"#),
    ];
    let plain = [
        ("page.get", r#"{"url":"https://ok.example/a/b"}"#),
        ("page.get", r#"{"url":"https://ok.example/","query":"","qs":{},"Params":[],"timeout":3}"#),
        ("web.search", "{}"),
        ("db.find", r#"{"query":"select ?"}"#),
    ];
    let mut world = world_under(SOURCE);
    denied(&ask(&mut world, "page.get", r#"{"url":"https://bad.example/"}"#), &[RuleDenied]);
    for (tool, inputs) in carrying.iter().chain(&plain) {
        assert_eq!(ask(&mut world, tool, inputs).verdict, Verdict::Allow, "nothing was read yet: {inputs}");
    }
    assert_eq!(ask(&mut world, "secret.read", "{}").verdict, Verdict::Allow);
    for (tool, inputs) in carrying {
        let decision = ask(&mut world, tool, inputs);
        assert_eq!(decision.codes, [RunRestricted], "{tool} {inputs}");
    }
    for (tool, inputs) in plain {
        assert_eq!(ask(&mut world, tool, inputs).verdict, Verdict::Allow, "{tool} {inputs}");
    }
}
