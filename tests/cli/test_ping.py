import pytest

from fluxcore.cli.errors import CommandError
from fluxcore.cli.ping import format_reply, parse_size, parse_target
from fluxcore.wire.constants import NODEID_ANY, UPSTREAM

HOSTS = ["fluke0", "fluke1", "fluke1"]


@pytest.mark.parametrize(
    ("text", "header", "title", "nodeid"),
    [
        ("kvs", "flux-ping any!kvs", "kvs.ping", NODEID_ANY),
        ("1!kvs", "flux-ping 1!kvs", "1!kvs.ping", 1),
        ("007", "flux-ping 7!broker", "7!broker.ping", 7),
        ("any", "flux-ping any!broker", "broker.ping", NODEID_ANY),
        ("fluke1", "flux-ping fluke1!broker (rank 1)", "1!broker.ping", 1),
        ("fluke1!kvs", "flux-ping fluke1!kvs (rank 1)", "1!kvs.ping", 1),
    ],
)
def test_a_target_is_a_service_a_rank_or_a_host(text, header, title, nodeid):
    target = parse_target(text, HOSTS)
    assert (target.header, target.title, target.nodeid) == (header, title, nodeid)
    assert target.flags == 0


def test_upstream_is_a_flag_of_the_request():
    target = parse_target("upstream!kvs", HOSTS)
    assert target.header == "flux-ping upstream!kvs"
    assert target.title == "upstream!kvs.ping"
    assert target.flags == UPSTREAM


def test_a_host_that_is_not_there_is_refused():
    with pytest.raises(CommandError, match="invalid nodeid/host: 'foo'"):
        parse_target("foo!kvs", HOSTS)


def test_an_answer_shows_who_answered_and_how_fast():
    reply = {"rank": 1, "pad": "pppp", "seq": 2, "route": "a!b", "userid": 0, "rolemask": 5}
    line = format_reply(reply, "kvs.ping", 0.1974, userid=False)
    assert line == "1!kvs.ping pad=4 seq=2 time=0.197 ms (a!b)"
    line = format_reply(reply, "kvs.ping", 12.0, userid=True)
    assert line == "1!kvs.ping pad=4 userid=0 rolemask=0x5 seq=2 time=12.000 ms (a!b)"


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("12", 12), ("4k", 4096), ("1M", 1 << 20)])
def test_sizes_may_have_a_suffix(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "1kk", "-1", "1.5k", "x"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError):
        parse_size(text)
