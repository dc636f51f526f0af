import pytest

from fluxcore.wire.errors import PayloadError
from fluxtop.data.modules import ModuleRow, decode_list

ANSWER = {
    "mods": [
        {
            "name": "sched-simple",
            "path": "/lib/modules/sched-simple.so",
            "idle": 12,
            "status": 1,
            "services": ["sched", "feasibility", "sched-simple"],
            "sendqueue": 1,
            "recvqueue": 2,
        }
    ]
}


def test_an_answer_becomes_rows_without_the_modules_own_name_among_its_services():
    (module,) = decode_list(3, ANSWER).rows
    assert module.services == ("feasibility", "sched")
    assert (module.idle, module.sendq, module.recvq) == (12, 1, 2)
    assert (module.letter, module.word) == ("R", "running")


@pytest.mark.parametrize(("status", "letter"), [(0, "I"), (1, "R"), (2, "F"), (3, "X"), (9, "?")])
def test_each_status_has_its_letter(status, letter):
    assert ModuleRow("x", "x", 0, status, (), 0, 0).letter == letter


@pytest.mark.parametrize("broken", [{}, {"mods": 1}, {"mods": [{"name": "x"}]}])
def test_a_broken_answer_is_a_protocol_error(broken):
    with pytest.raises(PayloadError):
        decode_list(0, broken)
