"""Production code without one of its rules: `make mutants` shows that a test misses each."""
