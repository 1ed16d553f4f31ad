"""The smallest true ledger: the contract over dictionaries, believed by its operators' word."""
