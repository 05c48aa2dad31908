"""The way into the log over HTTP: keys, envelope, admission, append, and an answer for every body."""
