import errno

import pytest

from fluxcore.kvs.checkpoint import Checkpoint, parse_checkpoint, parse_checkpoints

REF = "sha1-74fcf977a69ab7020e350bf86553d9dfb5339b24"


def test_a_checkpoint_as_flux_core_stores_it() -> None:
    stored = {"version": 1, "rootref": REF, "sequence": 7, "timestamp": 1795332741.3365786}
    checkpoint = Checkpoint(REF, 7, 1795332741.3365786)
    assert checkpoint.to_json() == stored
    assert parse_checkpoints([stored, stored]) == [checkpoint, checkpoint]
    assert parse_checkpoints(stored) == [checkpoint]


def test_an_old_checkpoint_has_its_root_alone() -> None:
    assert parse_checkpoint({"version": 0, "rootref": REF}) == Checkpoint(REF)


@pytest.mark.parametrize(
    ("value", "errnum"),
    [
        (None, errno.EPROTO),
        ({}, errno.EPROTO),
        ({"rootref": REF}, errno.EPROTO),
        ({"version": 1, "rootref": "sha1-1"}, errno.EPROTO),
        ({"version": 1, "rootref": REF, "sequence": "7"}, errno.EPROTO),
        ({"version": 1, "rootref": REF, "timestamp": None}, errno.EPROTO),
        ({"version": 2, "rootref": REF}, errno.EINVAL),
    ],
)
def test_what_is_no_checkpoint(value: object, errnum: int) -> None:
    with pytest.raises(OSError) as caught:
        parse_checkpoint(value)
    assert caught.value.errno == errnum
