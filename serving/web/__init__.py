"""Around the application: limits, keys, shedding, drain, connection, log and metrics."""
