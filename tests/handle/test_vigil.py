from hypothesis import given
from hypothesis import strategies as st

from fluxcore.handle.vigil import FIRST, MOST, WINDOW, Vigil

QUICK, SLOW = WINDOW / 2, WINDOW * 2


class Talk:
    """A client that asks, and is answered at once, and what the vigil comes to."""

    def __init__(self) -> None:
        self.vigil = Vigil()
        self.now = 100.0
        self.awake = False
        self.ask()

    def ask(self, after: float = 0.0) -> bool:
        """Ask some time after the last answer; True if we were awake for it.

        The vigil is looked at as often as its end, as a loop does that has nothing else to do.
        """
        if self.awake and after > WINDOW:
            assert self.vigil.goes_on(self.now + WINDOW / 2)
            self.awake = self.vigil.goes_on(self.now + WINDOW * 1.5)
        was = self.awake
        self.now += after
        self.vigil.heard(self.now)
        began = self.vigil.said(self.now)
        assert not (began and was), "there is one vigil at a time"
        self.awake = was or began
        return was

    def quick_until_awake(self) -> int:
        """How many quick requests it takes until a vigil begins."""
        count = 0
        while not self.awake:
            self.ask(QUICK)
            count += 1
        return count


def test_a_client_that_is_quick_is_waited_for() -> None:
    talk = Talk()
    assert talk.quick_until_awake() == FIRST
    assert all(talk.ask(QUICK) for _ in range(1000))


def test_one_that_is_not_is_never() -> None:
    talk = Talk()
    assert not any(talk.ask(SLOW) for _ in range(1000))


def test_what_was_in_vain_is_done_half_as_often() -> None:
    talk = Talk()
    needed = FIRST
    while needed < MOST:
        assert talk.quick_until_awake() == needed
        assert not talk.ask(SLOW), "it ended before"
        needed *= 2
    assert talk.quick_until_awake() == MOST
    talk.ask(SLOW)
    assert talk.quick_until_awake() == MOST, "and no seldomer"


def test_quickness_makes_up_for_it() -> None:
    talk = Talk()
    talk.quick_until_awake()
    talk.ask(SLOW)
    assert talk.quick_until_awake() == 2 * FIRST
    talk.ask(QUICK)
    talk.ask(SLOW)
    assert talk.quick_until_awake() == 2 * FIRST


def test_an_answer_that_takes_long_is_not_the_clients_fault() -> None:
    vigil = Vigil()
    now = 0.0
    for _ in range(FIRST + 1):
        vigil.heard(now)
        begun = vigil.said(now)
        now += QUICK
    assert begun
    vigil.heard(now)  # it is quick, and we have to think
    assert not vigil.goes_on(now + 1.0)
    assert vigil.said(now + 1.0), "at once again"


def test_what_is_sent_to_one_that_only_listens() -> None:
    vigil = Vigil()
    assert not any(vigil.said(n * QUICK) for n in range(1000))


@given(st.lists(st.booleans(), max_size=60))
def test_a_vigil_never_outlasts_the_window(quick: list[bool]) -> None:
    talk = Talk()
    for each in quick:
        talk.ask(QUICK if each else SLOW)
        assert not (talk.awake and not each)
    if talk.awake:
        assert not talk.vigil.goes_on(talk.now + WINDOW * 1.01)
