from fluxcore.cli.uptime import Uptime


def uptime(state="run", **facts):
    found = Uptime(state, 5400.0, "root", 1, 16)
    for name, value in facts.items():
        setattr(found, name, value)
    return found.lines("07:31:22")


def test_a_healthy_instance_takes_one_line():
    assert uptime() == [" 07:31:22 run 1.5h,  owner root,  depth 1,  size 16"]


def test_what_is_wrong_is_counted():
    assert uptime(drained=2, offline=1) == [
        " 07:31:22 run 1.5h,  owner root,  depth 1,  size 16,  2 drained,  1 offline"
    ]
    assert uptime(submit_disabled=True, stopped=True)[1:] == [
        "  submit disabled,  scheduler stopped"
    ]
    assert uptime(stopped=True)[1:] == ["  scheduler stopped"]
