"""Organisation schemas in the warehouse: roles, names, versions, and acting as an organisation."""
