"""The PMI-1 server, alone and as one of several."""

import pytest

from fluxcore.shell.pmi_server import PmiServer
from fluxcore.wire.errors import WireError


def ask(server: PmiServer, line: str, client: int = 0) -> str:
    """The one reply to a line, without its newline."""
    ((to, reply),) = server.line(client, line.encode())
    assert to == client
    assert reply.endswith(b"\n")
    return reply[:-1].decode()


def test_a_client_is_told_what_it_asks_first() -> None:
    server = PmiServer(4, "ƒNH", {})
    assert ask(server, "cmd=init pmi_version=1 pmi_subversion=1") == (
        "cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1"
    )
    assert ask(server, "cmd=init pmi_version=2 pmi_subversion=0") == "cmd=response_to_init rc=-1"
    assert ask(server, "cmd=get_maxes") == (
        "cmd=maxes rc=0 kvsname_max=64 keylen_max=64 vallen_max=1024"
    )
    assert ask(server, "cmd=get_universe_size") == "cmd=universe_size rc=0 size=4"
    assert ask(server, "cmd=get_appnum") == "cmd=appnum rc=0 appnum=0"
    assert ask(server, "cmd=get_my_kvsname") == "cmd=my_kvsname rc=0 kvsname=ƒNH"
    assert ask(server, "cmd=finalize") == "cmd=finalize_ack rc=0"


def test_what_is_put_can_be_got_with_spaces_and_all() -> None:
    server = PmiServer(1, "k", {"preput": "x"})
    assert ask(server, "cmd=put kvsname=k key=a value=b c=d") == "cmd=put_result rc=0"
    assert ask(server, "cmd=get kvsname=k key=a") == "cmd=get_result rc=0 value=b c=d"
    assert ask(server, "cmd=get kvsname=k key=preput") == "cmd=get_result rc=0 value=x"
    assert ask(server, "cmd=get kvsname=k key=zz") == "cmd=get_result rc=4"


def test_keys_and_values_have_a_length() -> None:
    server = PmiServer(1, "k", {})
    assert ask(server, f"cmd=put kvsname=k key={'a' * 64} value=b") == "cmd=put_result rc=6"
    assert ask(server, f"cmd=put kvsname=k key=a value={'b' * 1024}") == "cmd=put_result rc=8"


def test_the_barrier_ends_when_all_are_in() -> None:
    server = PmiServer(2, "k", {})
    assert server.line(1, b"cmd=barrier_in") == []
    assert server.line(0, b"cmd=barrier_in") == [
        (0, b"cmd=barrier_out rc=0\n"),
        (1, b"cmd=barrier_out rc=0\n"),
    ]


def test_servers_exchange_what_was_put_since_the_last_barrier() -> None:
    told: list[dict[str, str]] = []
    server = PmiServer(3, "k", {}, local=1, on_barrier=told.append)
    ask(server, "cmd=put kvsname=k key=a value=1")
    assert server.line(0, b"cmd=barrier_in") == []
    assert told == [{"a": "1"}]
    assert server.exchanged({"a": "1", "b": "2"}) == [(0, b"cmd=barrier_out rc=0\n")]
    assert ask(server, "cmd=get kvsname=k key=b") == "cmd=get_result rc=0 value=2"
    assert server.line(0, b"cmd=barrier_in") == []
    assert told[1] == {}


def test_a_client_may_abort() -> None:
    told: list[tuple[int, str]] = []
    server = PmiServer(1, "k", {}, on_abort=lambda code, text: told.append((code, text)))
    assert server.line(0, b"cmd=abort exitcode=14") == []
    assert server.line(0, b"cmd=abort exit_code=3 error_msg=it is over") == []
    assert server.line(0, b"cmd=abort") == []
    assert told == [(14, "aborted"), (3, "it is over"), (1, "aborted")]


def test_what_nobody_offers_is_refused() -> None:
    server = PmiServer(1, "k", {})
    refused = "rc=-1 msg=command not implemented"
    assert ask(server, "cmd=publish_name service=x") == f"cmd=publish_result {refused}"
    assert ask(server, "cmd=unpublish_name service=x") == f"cmd=unpublish_result {refused}"
    assert ask(server, "cmd=lookup_name service=x") == f"cmd=lookup_result {refused}"


def test_a_spawn_command_has_many_lines_and_fails() -> None:
    server = PmiServer(1, "k", {})
    assert server.line(0, b"mcmd=spawn") == []
    assert server.line(0, b"nprocs=1") == []
    assert server.line(0, b"whatever this is") == []
    assert ask(server, "endcmd") == "cmd=spawn_result rc=-1"
    assert ask(server, "cmd=get_appnum") == "cmd=appnum rc=0 appnum=0"


@pytest.mark.parametrize("line", [b"cmd=nosuch", b"hello", b"key=a", b"\xff", b""])
def test_what_is_no_command_is_an_error(line: bytes) -> None:
    with pytest.raises(WireError):
        PmiServer(1, "k", {}).line(0, line)
