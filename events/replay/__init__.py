"""Sending a file of events, one JSON object a line, to the log: straight, or through the intake's HTTP door."""
