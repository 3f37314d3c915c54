//! Outside. Landlock: which files this process may use from now on.
//!
//! In:    places.
//! Out:   nothing else can be opened, made, removed, renamed or run; or why that cannot be had.
//! Never: touches what is open already; restricts connections: Landlock knows TCP by ports alone, and those of
//!        DNS, gateways and sources are any.

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::places::{Places, Use};

/// Without it a file cannot be linked or moved into another directory, and the kept routes are made so.
const LEAST: ABI = ABI::V2;
/// What is refused where the kernel knows of it. The ninth would refuse sockets by path, and with them systemd.
const MOST: ABI = ABI::V5;

/// Confines this thread, and all that it starts.
pub(super) fn confine(places: &Places) -> Result<(), String> {
    match restrict(places) {
        Ok(RulesetStatus::NotEnforced) => Err("the kernel has it not".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn restrict(places: &Places) -> Result<RulesetStatus, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(LEAST))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(MOST))?
        .scope(Scope::Signal)?
        .create()?;
    for (path, uses) in places.iter() {
        // One that is not there cannot be allowed; who needs it says so.
        let Ok(opened) = PathFd::new(path) else { continue };
        let rights = if path.is_dir() { rights(uses) } else { rights(uses) & AccessFs::from_file(MOST) };
        rules = rules.add_rule(PathBeneath::new(opened, rights))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

fn rights(uses: Use) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    match uses {
        Use::Read => read,
        Use::Run => read | AccessFs::Execute,
        // What it writes it does not run.
        Use::Write => {
            read | AccessFs::WriteFile
                | AccessFs::Truncate
                | AccessFs::Refer
                | AccessFs::RemoveDir
                | AccessFs::RemoveFile
                | AccessFs::MakeDir
                | AccessFs::MakeReg
                | AccessFs::MakeSym
                | AccessFs::MakeSock
        }
    }
}
