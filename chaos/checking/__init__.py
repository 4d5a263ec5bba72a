"""What must hold after any fault, judged on records alone: pure functions from histories to what they found."""
