"""Measurements: this project against the bare database and against other queues, in one sitting on one machine.

    python -m benchmarks [--quick] [PART ...]

starts a PostgreSQL of its own with its default durability, and writes what it finds to benchmarks/results/.
README.md beside this file says what is compared, and how.
"""
