//! Who there is to sign in as.

use schemars::JsonSchema;
use serde::Deserialize;

/// The shop's accounts, as it was seeded.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Accounts {
    /// Tenants to spread users over.
    #[schemars(length(min = 1))]
    pub tenants: Vec<String>,
    /// Staff accounts of each tenant.
    #[schemars(range(min = 1, max = 99))]
    pub staff: u64,
    /// Everybody's password.
    pub password: String,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            tenants: ["aurum", "belle-epoque", "cobalt"].map(str::to_owned).to_vec(),
            staff: 40,
            password: "assay-demo-pass".to_owned(),
        }
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose rows it sees.
    pub tenant: String,
    /// Its user name.
    pub name: String,
    /// Its password.
    pub password: String,
}

impl Accounts {
    /// A staff account for a user: tenants in turn, and within each its staff in turn.
    pub fn staff(&self, ordinal: u64) -> Account {
        let (tenant, round) = self.tenant(ordinal);
        let number = round % self.staff.max(1) + 1;
        self.account(tenant, &format!("staff{number:02}"))
    }

    /// The owner of a tenant for a user: tenants in turn.
    pub fn owner(&self, ordinal: u64) -> Account {
        self.account(self.tenant(ordinal).0, "owner")
    }

    /// A tenant's owner.
    pub fn owner_of(&self, tenant: &str) -> Account {
        self.account(tenant, "owner")
    }

    fn tenant(&self, ordinal: u64) -> (&str, u64) {
        // The schema asks for one at least.
        let count = self.tenants.len().max(1) as u64;
        let tenant = self.tenants.get((ordinal % count) as usize).map_or("", String::as_str);
        (tenant, ordinal / count)
    }

    fn account(&self, tenant: &str, who: &str) -> Account {
        Account {
            tenant: tenant.to_owned(),
            name: format!("{who}@{tenant}.example"),
            password: self.password.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_spread_over_tenants_and_their_staff() {
        let accounts = Accounts { staff: 2, ..Accounts::default() };
        let names: Vec<_> = (0..7).map(|ordinal| accounts.staff(ordinal).name).collect();
        assert_eq!(names[0], "staff01@aurum.example");
        assert_eq!(names[1], "staff01@belle-epoque.example");
        assert_eq!(names[3], "staff02@aurum.example");
        assert_eq!(names[6], "staff01@aurum.example");
        assert_eq!(accounts.owner(2).name, "owner@cobalt.example");
    }
}
