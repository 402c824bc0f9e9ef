//! One file per use case: observe, decide, record, render.
//!
//! `start`, `advance`, `abort`, `rollback`, `deploy`, `emergency`, `plan` and `simulate` are the use cases; `ways` is what a runbook names of them; `case` is a
//! certificate's rotation as the journal tells it, which `replay` folds, `head` a zone as git holds it, `upstream` the branch that counts, or `elsewhere` who keeps it,
//! `draft` its edit, `describe` what a reviewer is given beside it, `review` what a run proposes and `review_bundle` what goes to one branch of it, `former` which branches it stood on before, `in_force` the configuration that counts, `traces` what shows that rotations began, `was_in_zone` which keys were taken out, `deploying` that a deployment is run, `deleted` proposals that somebody deleted, `refused` pushes that a remote refused, `known` what one run knows of everything at once, `objections` what speaks against handing a zone on, `look` one look at the world, `look_ahead` that for
//! many rotations, `sight` what of it a turn goes by, of which `early` tells what cannot wait, `noted` what runs keep in mind of the zones, `witness` what others say of it, `web_pki` among them; `pace`
//! is its policy for now; `shared` is what several runners have in common, `seen` how far it was taken over, `signers` who may write there, `apart` whether their clocks are, `conclude` what a run records with them for all certificates at once; `afterwards` watches over rotations that are over, `leftovers` takes
//! away what they leave, `archive` moves them out of the journal; `begin` begins rotations by itself, `establish` records what a look establishes, `moved` and `newcomers` find who would be refused at new addresses and by new servers, `orphans` tells of rotations without a certificate, `lost_journal` holds a journal against what git knows, which `read_up_to` keeps; `act`, `admit`, `propose` and `sign` do what a decision asks
//! for, `handing_on` holds a new version against what the gate would say of it, `reload` tells servers what they are to load, `keep_signed` signs the zones that no certificate asks for, and `predecessor` is what a signed version must follow.
//! `check` looks at prerequisites and health, `merge_check` judges
//! pull requests. `job` is what is done beside rotations: `prune` takes records out that nobody needs, `adopt` publishes a key that hosts have already, `enable` and `disable` begin and end with DANE; `pause` holds proposals and deployments for a while. `demo` stages a whole rotation on loopback. `present` is the time of a run,
//! `run` one that a person asked for, and `rehearse` one that changes nothing.

pub mod abort;
mod act;
mod admit;
pub mod adopt;
pub mod advance;
mod afterwards;
mod apart;
pub mod archive;
mod at_rest;
mod awaited;
mod before;
mod begin;
mod behind_aliases;
mod case;
pub mod check;
mod clock;
mod conclude;
mod deadlines;
pub mod deleted;
pub mod demo;
pub mod deploy;
mod deploying;
mod describe;
pub mod disable;
mod draft;
pub mod early;
mod elsewhere;
pub mod emergency;
pub mod enable;
mod error;
mod establish;
pub mod forget;
mod former;
pub mod going_on;
mod handing_on;
mod head;
mod history;
mod hosts;
pub mod in_force;
pub mod job;
mod keep_signed;
mod keeper_error;
mod key_files;
mod known;
mod leftovers;
mod look;
mod look_ahead;
pub mod look_from;
mod lost_journal;
mod made_here;
pub mod merge_check;
mod moved;
mod neighbours;
mod newcomers;
mod noted;
mod objections;
mod orphans;
mod others;
mod pace;
pub mod pause;
mod places;
pub mod plan;
mod predecessor;
pub mod present;
mod propose;
pub mod prune;
mod reach;
mod read_up_to;
pub mod refused;
mod rehearse;
mod reload;
pub mod renewed;
pub mod repair;
mod replay;
mod review;
mod review_bundle;
pub mod rollback;
mod run;
mod seen;
pub mod set_aside;
mod shared;
mod sight;
mod sign;
mod signers;
pub mod simulate;
pub mod start;
mod surroundings;
mod traces;
pub mod tracked;
pub mod upstream;
mod vantages;
pub mod verdict;
pub mod verify;
mod was_in_zone;
mod ways;
mod ways_out;
mod web_pki;
mod witness;
mod zone_look;
pub mod zone_servers;

pub use error::WorkflowError;
pub use keeper_error::KeeperError;
pub use shared::others_recorded;
