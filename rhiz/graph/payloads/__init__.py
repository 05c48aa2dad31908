"""Payloads of strangers' records: decoded, checked and made into rows, or refused with the reason.

Each module's `decode` takes an entry of the log and returns a row. It raises PermanentError and nothing else,
whatever the payload is. Where a field has several spellings, the first one listed that is neither null nor
empty is taken.
"""
