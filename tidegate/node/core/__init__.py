"""What the processes of a node decide by: pure, so that a test owns time."""
