"""Faults, known traffic, invariants, experiments: Tidegate against real failure."""
