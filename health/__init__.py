"""Whether this process, and what it depends on, can do its work: told from memory, never by asking while answering."""
