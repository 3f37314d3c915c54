//! Outside. `enum`: one number, looked up as the routes do, or under apexes of the command line.

use super::{
    apexes::{Node, alone, first_question, nodes, results},
    asking::Asking,
    enum_json::json_of,
    enum_page::Page,
    refuse, servers,
};
use crate::{
    cli::{
        Exit,
        adapters::{self, Routes},
        args::{EnumArgs, Global},
        output::{self, Paint},
    },
    config::Config,
    dns::{Apex, EnumPlan, EnumResult, Failure, Results, lookup},
    limits::{ENUM_APEXES_MAX, LOOKUP_MS_DEFAULT, TOOL_ENUM_ROUTES_MAX},
    route::{Defaults, EnumRoute, Place, RouteTable, Then, file::Diagnostic},
};

/// One look-up to do.
pub(super) struct Task {
    /// Whose it is; `None`: of the command line.
    pub(super) route: Option<(Box<str>, Place)>,
    pub(super) plan: EnumPlan,
    /// Variables that the route takes out of the first result.
    pub(super) attributes: Option<Vec<Box<str>>>,
    pub(super) contacts_max: usize,
}

/// What it came to.
pub(super) struct Done {
    pub(super) task: Task,
    pub(super) result: EnumResult,
    pub(super) results: Vec<Vec<u8>>,
    pub(super) apexes: Vec<Shown>,
}

/// One apex of a look-up.
pub(super) struct Shown {
    pub(super) apex: Apex,
    /// Empty: the name cannot be asked for.
    pub(super) nodes: Vec<Node>,
    /// Its results are those of the look-up.
    pub(super) is_chosen: bool,
}

/// The q ladder.
#[derive(Clone, Copy)]
pub(super) struct Ladder {
    pub(super) first: u16,
    pub(super) step: u16,
}

/// Looks a number up.
pub(crate) fn run(global: &Global, args: &EnumArgs) -> Exit {
    let (config, routes) = match load(global, args) {
        Ok(loaded) => loaded,
        Err(findings) => {
            output::diagnostics(&findings);
            return Exit::Refused;
        }
    };
    let (tasks, left_out) = match routes.as_ref() {
        Some(routes) => tasks_of(&routes.table),
        None => (vec![task_of(args)], 0),
    };
    if args.apex.len() > ENUM_APEXES_MAX {
        return refuse(
            &format!("--apex: {} apexes, expected at most {ENUM_APEXES_MAX}", args.apex.len()),
            Exit::Usage,
        );
    }
    if tasks.is_empty() {
        let routes = config.routes.display();
        return refuse(
            &format!("no route in {routes} has `enum:`; name an apex, as --apex e164.arpa"),
            Exit::Usage,
        );
    }
    let servers = servers(&args.server, &config);
    let asking = match Asking::of(servers.clone()) {
        Ok(asking) => asking,
        Err(error) => return refuse(&format!("DNS cannot be asked: {error}"), Exit::Refused),
    };
    let (asking, done) = look_up_all(asking, tasks, args);
    let defaults = routes.map_or_else(Defaults::default, |routes| routes.table.defaults);
    let ladder = Ladder { first: defaults.q_first_milli, step: defaults.q_step_milli };
    if args.json {
        output::json(&json_of(&args.number, &servers, &asking.asked, &done, left_out, ladder));
    } else {
        let page = Page { asked: &asking.asked, paint: Paint::of_stdout(), text: String::new(), ladder };
        output::stdout(page.of(&args.number, &servers, &done, left_out).as_bytes());
    }
    exit(&done)
}

/// With apexes on the command line, no route is looked at.
fn load(global: &Global, args: &EnumArgs) -> Result<(Config, Option<Routes>), Vec<Diagnostic>> {
    let config = adapters::load_config(global)?;
    let routes = if args.apex.is_empty() { Some(adapters::load_routes(&config.routes)?) } else { None };
    if let Some(routes) = &routes {
        output::diagnostics(&routes.warnings);
    }
    Ok((config, routes))
}

fn exit(done: &[Done]) -> Exit {
    let is = |wanted: fn(&EnumResult) -> bool| done.iter().any(|done| wanted(&done.result));
    if is(|result| matches!(result, EnumResult::Found(_))) {
        Exit::Ok
    } else if is(|result| matches!(result, EnumResult::Failed(_))) {
        Exit::Unreachable
    } else {
        Exit::NoRoute
    }
}

/// Those of the routes, each once; how many more there are than are looked at.
fn tasks_of(table: &RouteTable) -> (Vec<Task>, usize) {
    let mut tasks: Vec<Task> = Vec::new();
    let mut left_out = 0_usize;
    for route in &table.routes {
        let Then::Enum(of_route) = &route.then else { continue };
        let EnumRoute { plan, answer, attributes, .. } = &**of_route;
        if tasks.iter().any(|task| task.plan == *plan && task.attributes == *attributes) {
            continue;
        }
        if tasks.len() >= TOOL_ENUM_ROUTES_MAX {
            left_out = left_out.saturating_add(1);
            continue;
        }
        tasks.push(Task {
            route: Some((route.name.clone(), route.place.clone())),
            plan: plan.clone(),
            attributes: attributes.clone(),
            contacts_max: answer.contacts_max,
        });
    }
    (tasks, left_out)
}

fn task_of(args: &EnumArgs) -> Task {
    let apex = |name: &String| Apex::of(name.as_str(), &["sip"]);
    let apexes = args.apex.iter().take(ENUM_APEXES_MAX).map(apex).collect();
    let plan = EnumPlan { apexes, parallel: false, within_ms: LOOKUP_MS_DEFAULT, results: Results::Uris };
    Task { route: None, plan, attributes: None, contacts_max: Defaults::default().contacts_max }
}

fn look_up_all(mut asking: Asking, tasks: Vec<Task>, args: &EnumArgs) -> (Asking, Vec<Done>) {
    let mut all = Vec::new();
    for mut task in tasks {
        change(&mut task.plan, args);
        let mut found = Vec::new();
        let result = asking.until_done(|dns| {
            found.clear();
            lookup(args.number.as_bytes(), &task.plan, dns, &mut |result| found.push(result.to_vec()))
        });
        let mut is_open = matches!(result, Some(EnumResult::Found(_)));
        let mut apexes = Vec::new();
        for apex in &task.plan.apexes {
            let plan = alone(&task.plan, apex);
            let first = first_question(&args.number, &plan);
            let nodes =
                first.map(|first| nodes(&args.number, &plan, &first, &asking.cache)).unwrap_or_default();
            // Answers that came after the decision do not count.
            let is_chosen = is_open && results(&args.number, &plan, &asking.cache).1 == found;
            is_open = is_open && !is_chosen;
            apexes.push(Shown { apex: apex.clone(), nodes, is_chosen });
        }
        let result = result.unwrap_or(EnumResult::Failed(Failure::Timeout));
        all.push(Done { task, result, results: found, apexes });
    }
    (asking, all)
}

/// What the command line says goes for every apex.
fn change(plan: &mut EnumPlan, args: &EnumArgs) {
    if let Some(within) = args.within {
        plan.within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    }
    for apex in &mut plan.apexes {
        if args.within.is_some() {
            apex.within_ms = None;
        }
        if !args.server.is_empty() {
            apex.upstream = None;
        }
        if !args.services.is_empty() {
            apex.services = args.services.iter().map(|service| service.as_str().into()).collect();
        }
    }
}

impl Ladder {
    pub(super) fn q_milli(self, index: usize) -> u16 {
        let down = usize::from(self.step.max(1)).saturating_mul(index);
        self.first.saturating_sub(u16::try_from(down).unwrap_or(u16::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Answer, Failed, NotFound, Route};

    fn table(apexes: usize) -> RouteTable {
        let route = |index: usize| {
            let apex = Apex {
                name: format!("a{index}.example.").into(),
                upstream: None,
                services: Vec::new(),
                within_ms: None,
                branch: None,
            };
            let plan =
                EnumPlan { apexes: vec![apex], parallel: false, within_ms: 400, results: Results::Uris };
            let then = Then::Enum(Box::new(EnumRoute {
                plan,
                answer: Answer::refusal(&RouteTable::default()),
                attributes: None,
                despite_di: false,
                not_found: NotFound::default(),
                failed: Failed::default(),
            }));
            Route { name: "enum".into(), place: Place::default(), when: Vec::new(), set: Vec::new(), then }
        };
        let routes = (0..apexes).flat_map(|index| [route(index), route(index)]).collect();
        RouteTable { routes, ..RouteTable::default() }
    }

    #[test]
    fn routes_of_one_plan_are_looked_up_once_and_no_more_than_may_be() {
        for (plans, looked, left_out) in [
            (0, 0, 0),
            (3, 3, 0),
            (TOOL_ENUM_ROUTES_MAX, TOOL_ENUM_ROUTES_MAX, 0),
            (TOOL_ENUM_ROUTES_MAX + 1, TOOL_ENUM_ROUTES_MAX, 2),
        ] {
            let (tasks, left) = tasks_of(&table(plans));
            assert_eq!((tasks.len(), left), (looked, left_out));
        }
    }

    #[test]
    fn q_goes_down_and_not_below_0() {
        let ladder = Ladder { first: 990, step: 10 };
        assert_eq!([0, 1, 99, 100, usize::MAX].map(|index| ladder.q_milli(index)), [990, 980, 0, 0, 0]);
    }
}
