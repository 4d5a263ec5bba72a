"""What of the configuration decides something: residency, compiled once for routing and replication alike."""
