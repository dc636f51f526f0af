import os

import pytest

from fluxcore.cli.event import format_event, payload_of
from fluxcore.wire.message import event


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (None, "a.b\t"),
        ({"x": "ƒ"}, 'a.b\t{"x":"ƒ"}'),
        (b"text\0", "a.b\ttext"),
        (b"raw\1\xff\n", "a.b\traw..."),
        (b"\xff\0", "a.b\t\ufffd"),
    ],
)
def test_an_event_is_its_topic_and_what_can_be_printed(payload, line):
    assert format_event(event("a.b", payload)) == line


def test_text_ends_in_nul_and_bytes_do_not():
    assert payload_of([], raw=False) is None
    assert payload_of(['{"a":', "1}"], raw=False) == b'{"a": 1}\0'
    assert payload_of([os.fsdecode(b"\xff"), "x"], raw=True) == b"\xff x"
