"""Bodies that a client can send and nobody should: shared by the tests of the envelope and of the doors."""

from __future__ import annotations

import json
from typing import Any

DID = "did:plc:2rzv4orglylo5yb7lfyyxg25"
URI = f"at://{DID}/net.rhiz.relationship.record/36okhzkt72222"


def event(payload: str = "{}", **fields: Any) -> bytes:
    """One event; `payload` is JSON text that is put in as it is."""
    envelope = {"event_type": "relationship.created", "did": DID, **fields}
    return f'{json.dumps(envelope)[:-1]},"payload":{payload}}}'.encode()


def nested(depth: int) -> str:
    """An object that holds arrays within each other; `depth` counts the object."""
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


# name -> (body, the field that the problem names)
NOT_EVENTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "body"),
    "white space": (b" \n\t", "body"),
    "null": (b"null", "body"),
    "number": (b"1", "body"),
    "text": (b'"event"', "body"),
    "not json": (b"event_type=relationship.created", "body"),
    "empty object": (b"{}", "event_type"),
    "stops in the payload": (event('{"a":[1,2')[:-1], "body"),
    "stops before the end": (event()[:-1], "body"),
    "stops in a character": (event('{"a":"é"}')[:-4], "body"),
    "two values": (event() + event(), "body"),
    "trailing comma": (event()[:-1] + b",}", "body"),
    "single quotes": (event().replace(b'"', b"'"), "body"),
    "comment": (event() + b"// end", "body"),
    "byte order mark": (b"\xef\xbb\xbf" + event(), "body"),
    "utf-16": (event().decode().encode("utf-16"), "body"),
    "utf-16 without mark": (event().decode().encode("utf-16-le"), "body"),
    "utf-32": (event().decode().encode("utf-32"), "body"),
    "latin-1 in the payload": (event('{"a":"é"}').decode().encode("latin-1"), "payload"),
    "latin-1 in the envelope": (event(rev="x").replace(b'"x"', b'"\xe9"'), "body"),
    "surrogate as bytes": (event('{"a":"?"}').replace(b"?", b"\xed\xa0\x80"), "payload"),
    "NaN": (event('{"a":NaN}'), "body"),
    "Infinity": (event('{"a":-Infinity}'), "body"),
    "bare NUL": (event('{"a":"\x00"}'), "body"),
    "bare line feed in a string": (event('{"a":"\n"}'), "body"),
    "leading zero": (event('{"a":01}'), "body"),
    "lone minus": (event('{"a":-}'), "body"),
    "10,000 open arrays": (b"[" * 10_000, "body"),
    "10,000 open arrays as payload": (event("[" * 10_000), "body"),
    "10,000 nested arrays as payload": (event("[" * 10_000 + "]" * 10_000), "payload"),
    "10,000 nested objects as did": (
        event().replace(f'"{DID}"'.encode(), b'{"a":' * 9_999 + b"1" + b"}" * 9_999),
        "did",
    ),
    "a megabyte of nesting": (event('{"a":' * 200_000 + "1" + "}" * 200_000), "body"),
    "payload null": (event("null"), "payload"),
    "payload array": (event("[]"), "payload"),
    "payload text": (event('"{}"'), "payload"),
    "payload missing": (b'{"event_type":"a","did":"%s"}' % DID.encode(), "payload"),
    "did missing": (b'{"event_type":"a","payload":{}}', "did"),
    "did null": (event(did=None), "did"),
    "did a number": (event(did=1), "did"),
    "did with NUL": (event(did=DID + "\0"), "did"),
    "did with a lone surrogate": (event(did=DID + "\ud800"), "did"),
    "did with a line feed": (event(did=DID + "\n"), "did"),
    "did of 2,049 characters": (event(did="did:plc:" + "a" * 2041), "did"),
    "did of a megabyte": (event(did="did:plc:" + "a" * 1_000_000), "did"),
    "handle as did": (event(did="alice.example.com"), "did"),
    "event_type empty": (event(event_type=""), "event_type"),
    "event_type of 101 characters": (event(event_type="a" * 101), "event_type"),
    "event_type in capitals": (event(event_type="Relationship.created"), "event_type"),
    "event_type with NUL": (event(event_type="a\0"), "event_type"),
    "event_type with a lone surrogate": (event(event_type="\udfff"), "event_type"),
    "event_type an array": (event(event_type=["a"]), "event_type"),
    "priority 4": (event(priority=4), "priority"),
    "priority -1": (event(priority=-1), "priority"),
    "priority 1.5": (event(priority=1.5), "priority"),
    "priority text": (event(priority="1"), "priority"),
    "priority true": (event(priority=True), "priority"),
    "priority null": (event(priority=None), "priority"),
    "priority 1e400": (event(priority=77).replace(b"77", b"1e400"), "priority"),
    "priority of 5,000 digits": (event(priority=77).replace(b"77", b"9" * 5_000), "priority"),
    "event_id no uuid": (event(event_id="1"), "event_id"),
    "event_id a number": (event(event_id=1), "event_id"),
    "event_id with a lone surrogate": (event(event_id="\ud800"), "event_id"),
    "rev no tid": (event(rev="3jzfcijpj2z2A"), "rev"),
    "rev empty": (event(rev=""), "rev"),
    "occurred_at without zone": (event(occurred_at="2026-11-01T12:00:00"), "occurred_at"),
    "occurred_at in year 0": (event(occurred_at="0000-01-01T00:00:00Z"), "occurred_at"),
    "occurred_at a number": (event(occurred_at=1_700_000_000), "occurred_at"),
    "repeated key, last one wrong": (event()[:-1] + b',"did":"x"}', "did"),
}

# name -> payload: JSON that Python can't decode, so that it is stored as it was sent
UNDECODABLE: dict[str, str] = {
    "lone high surrogate": '{"a":"\\ud800"}',
    "lone low surrogate": '{"a":"x\\udc00x"}',
    "surrogates the wrong way round": '{"a":"\\ude00\\ud83d"}',
    "lone surrogate in a key": '{"\\ud83d":1}',
    "lone surrogate and white space": '{ "b" : 1.0 ,\n"a":"\\u0000\\ud800" }',
    "1e400": '{"a":1e400}',
    "-1e400": '{"a":[{"b":-1e400}]}',
    "1e200000": '{"a":1e200000}',
    "1e and 60,000 digits": '{"a":1e' + "9" * 60_000 + "}",
    "5,000 digits": '{"a":' + "9" * 5_000 + "}",
    "1,500 levels": nested(1_500),
    "10,000 nested arrays": nested(10_001),
    "10,000 nested objects": '{"a":' * 10_000 + "1" + "}" * 10_000,
}

# name -> (payload, its canonical form)
UNUSUAL: dict[str, tuple[str, str]] = {
    "empty": ("{}", "{}"),
    "white space": (' {\t"a" : [ 1 , 2 ]\r\n} ', '{"a":[1,2]}'),
    "keys in order": ('{"b":1,"a":{"d":1,"c":2}}', '{"a":{"c":2,"d":1},"b":1}'),
    "repeated key": ('{"a":1,"a":2}', '{"a":2}'),
    "key spelt two ways": ('{"a":1,"\\u0061":2}', '{"a":2}'),
    "escapes": ('{"a":"\\u00e9\\/\\ud83d\\ude00"}', '{"a":"é/😀"}'),
    "NUL": ('{"a":"x\\u0000"}', '{"a":"x\\u0000"}'),
    "NUL in a key": ('{"a\\u0000":1}', '{"a\\u0000":1}'),
    "escaped backslash before u0000": ('{"a":"\\\\u0000"}', '{"a":"\\\\u0000"}'),
    "other control characters": ('{"a":"\\u0001\\u001f\\n"}', '{"a":"\\u0001\\u001f\\n"}'),
    "one as a fraction": ('{"a":1.0,"b":1e0,"c":10E-1}', '{"a":1,"b":1,"c":1}'),
    "minus zero": ('{"a":-0,"b":-0.0,"c":-0e5}', '{"a":0,"b":0,"c":0}'),
    "too small for a double": ('{"a":1e-400}', '{"a":0}'),
    "fraction": ('{"a":0.1,"b":-2.50}', '{"a":0.1,"b":-2.5}'),
    "largest double": ('{"a":1.7976931348623157e308}', '{"a":1.7976931348623157e308}'),
    "integer beyond 64 bits": ('{"a":' + "9" * 4_000 + "}", '{"a":' + "9" * 4_000 + "}"),
    "500 levels": (nested(500), nested(500)),
    "500 containers side by side": ('{"a":[' + ",".join(["{}"] * 500) + "]}", '{"a":[' + ",".join(["{}"] * 500) + "]}"),
    "brackets in text": ('{"a":"' + "[" * 500 + '"}', '{"a":"' + "[" * 500 + '"}'),
    "empty key": ('{"":1}', '{"":1}'),
    "65,536 bytes": ('{"a":"' + "x" * 65_528 + '"}', '{"a":"' + "x" * 65_528 + '"}'),
}

# Every payload that a stranger may publish, whatever its event's type: it is accepted, and its processor decides.
STRANGE: dict[str, str] = {**UNDECODABLE, **{name: payload for name, (payload, _) in UNUSUAL.items()}}

# JSON values to put in the fields that processors read.
VALUES: dict[str, str] = {
    "NUL": '"x\\u0000"',
    "lone surrogate": '"\\ud800"',
    "1e400": "1e400",
    "4,300 digits": "9" * 4_300,
    "5,000 digits": "9" * 5_000,
    "60,000 characters": '"' + "x" * 60_000 + '"',
    "10,000 nested arrays": "[" * 10_000 + "]" * 10_000,
    **{
        f"{opened} in {depth} levels": opened * depth + "1" + closed * depth
        for opened, closed in (("[", "]"), ('{"a":', "}"))
        for depth in range(900, 1_000)  # where the stack ends, for one reader earlier than for another
    },
    **{text: text for text in ("true", "null", "-1", "1.5", "{}", "[]", '""', "[null]")},
}
