"""What several test files need; imported as `support` (tests/ is on pytest's path)."""
