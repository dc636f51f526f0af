"""Templates."""

import pytest

from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.layout import layout
from fluxcore.shell.mustache import Names, is_per_node, render
from support.jobspecs import make_jobspec, make_r


def names(nodes: int = 2) -> Names:
    rset = ResourceSet.from_json(make_r(list(range(nodes)), 2, gpus=1))
    where = layout(make_jobspec(tasks=2 * nodes, nodes=nodes), rset)
    return Names(1234, "hostname", where, "/run/jobtmp", where.nodes[0])


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no tags", "no tags"),
        ("{{id}}", "ƒNH"),
        ("{{jobid}}", "ƒNH"),
        ("{{id.dec}}", "1234"),
        ("{{jobid.dec}}-{{id.hex}}", "1234-0x4d2"),
        ("{{id.f58plain}}", "fNH"),
        ("{{name}}.{{nnodes}}.{{size}}.{{ntasks}}", "hostname.2.4.4"),
        ("{{tmpdir}}/script", "/run/jobtmp/script"),
        ("{{node.id}},{{node.name}},{{node.broker_rank}}", "0,host0,0"),
        ("{{node.ntasks}},{{node.taskids}}", "2,0-1"),
        ("{{node.cores}},{{node.resources.ncores}},{{node.gpus}}", "0-1,2,0"),
        ("{{taskid}}", "{{taskid}}"),
        ("{{task.id}}", "{{task.id}}"),
        ("{{id.foo}} {{idx}} {{nosuch}} {{node.x}}", "{{id.foo}} {{idx}} {{nosuch}} {{node.x}}"),
        ("{{unclosed", "{{unclosed"),
        ("}}{{id}}{{", "}}ƒNH{{"),
    ],
)
def test_tags_are_replaced_where_they_mean_something(template: str, text: str) -> None:
    assert render(template, names()) == text


def test_a_task_has_its_own_tags() -> None:
    mine = names().of_task(7, 1)
    assert render("{{taskid}}.{{task.rank}}.{{task.index}}.{{task.localid}}", mine) == "7.7.1.1"
    assert render("{{task.foo}}", mine) == "{{task.foo}}"


def test_a_node_is_not_known_everywhere() -> None:
    assert render("{{node.id}}", names()._replace(node=None)) == "{{node.id}}"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("out", False),
        ("out.{{id}}", False),
        ("out.{{taskid}}", True),
        ("out.{{node.id}}", True),
        ("{{tmpdir}}/out", True),
    ],
)
def test_a_name_may_be_another_on_each_node(template: str, expected: bool) -> None:
    assert is_per_node(template, names()) is expected
    assert not is_per_node(template, names(nodes=1))
