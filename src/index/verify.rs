//! The slow check of `index verify`: an index is what building it again gives.

use super::{ClaimKey, Index};
use crate::register::{
    Assignments, Delegation, Delegations, Key, Origins, Owner, OwnerId, Register, Registration,
};

impl Index {
    /// Builds the index again from its own owners and registrations, and compares all bytes.
    ///
    /// [`open`](Self::open) makes sure that no lookup goes astray; this, that all lookups are right. It costs a build.
    ///
    /// # Errors
    /// What is wrong: the index was built by a faulty or another version of the program, and is to be built again.
    pub fn verify(&self) -> Result<(), &'static str> {
        let register = self.register().ok_or("an owner_id is none")?;
        let again =
            Self::build(&register).map_err(|_| "it cannot be built again from its own registrations")?;
        if again.id != self.id {
            return Err("its id is not that of its registrations");
        }
        if again.map[..] == self.map[..] {
            Ok(())
        } else {
            Err("lookups do not agree with its registrations")
        }
    }

    fn customers(&self) -> Assignments {
        self.assignments().map(|it| (it.range, it.netname, it.owner.0)).collect()
    }

    fn delegations(&self) -> Delegations {
        let holder = |holder: Option<&str>| holder.map(Into::into);
        self.dutch_blocks()
            .map(|block| Delegation { range: block.range, holder: holder(block.holder) })
            .collect()
    }

    /// What the registered AS numbers announce.
    fn origins(&self) -> Origins {
        let announced = self.claims().filter_map(|claim| match claim.key {
            ClaimKey::Announced(asn, range) => Some((range.pieces().next()?, asn)),
            _ => None,
        });
        announced.collect()
    }

    /// The register that it was built from, but for the numbers that owners were united by.
    fn register(&self) -> Option<Register> {
        let owners = self.owners().map(|position| {
            let owner = self.owner(position);
            Some(Owner {
                id: OwnerId::new(owner.id)?,
                name: owner.name.map(str::to_owned),
                kvk: None,
                ripe_org: None,
                constituency: owner.constituency,
                ground: owner.ground,
                sector: owner.sector.map(str::to_owned),
                contacts: owner.contacts().map(str::to_owned).collect(),
                links: owner.links().map(OwnerId::new).collect::<Option<_>>()?,
                organisation: owner.organisation.0,
                source: owner.source,
                line: owner.line,
            })
        });
        let ranges = self.claims().filter_map(|claim| {
            let ClaimKey::Range(range) = claim.key else { return None };
            Some(Registration {
                owner: claim.owner.0,
                key: Key::Range(range),
                role: claim.role,
                verified: claim.verified,
                valid_from: claim.valid_from,
                valid_until: claim.valid_until,
                is_role_stated: true,
                scope: claim.scope,
                source: claim.source,
                line: claim.line,
            })
        });
        let domains = self.domains().map(|claim| Registration {
            owner: claim.owner.0,
            key: Key::Domain(claim.domain.into()),
            role: claim.role,
            verified: claim.verified,
            valid_from: claim.valid_from,
            valid_until: claim.valid_until,
            is_role_stated: true,
            scope: claim.scope,
            source: claim.source,
            line: claim.line,
        });
        let asns = self.asns().map(|claim| Registration {
            owner: claim.owner.0,
            key: Key::Asn(claim.asn),
            role: claim.role,
            verified: claim.verified,
            valid_from: claim.valid_from,
            valid_until: claim.valid_until,
            is_role_stated: true,
            scope: claim.scope,
            source: claim.source,
            line: claim.line,
        });
        Some(Register {
            owners: owners.collect::<Option<_>>()?,
            registrations: ranges.chain(domains).chain(asns).collect(),
            sources: self.source_names().map(str::to_owned).collect(),
            assignments: self.customers(),
            delegations: self.delegations(),
            shared: self.shared_space().collect(),
            origins: self.origins(),
        })
    }
}
