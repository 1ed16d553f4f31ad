"""Networks and power flow; the only place that knows pandapower."""
