"""Where tasks find themselves, and what their job is called there (CONTRACTS D3, D21)."""

from pathlib import Path

import pytest

from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.layout import layout
from fluxcore.shell.mustache import render
from fluxcore.shell.place import prepare
from support.jobspecs import make_jobspec, make_r


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "ƒNH"),
        ({"LANG": "en_US.UTF-8"}, "ƒNH"),
        ({"LC_ALL": "C.utf8", "LANG": "C"}, "ƒNH"),
        ({"LC_ALL": "", "LANG": "de_DE.UTF-8@euro"}, "ƒNH"),
        ({"LC_ALL": "C", "LANG": "C.UTF-8"}, "fNH"),
        ({"LANG": "POSIX"}, "fNH"),
        ({"LC_CTYPE": "de_DE.ISO-8859-1"}, "fNH"),
        ({"LANG": "C.UTF-8", "FLUX_F58_FORCE_ASCII": "1"}, "fNH"),
    ],
)
def test_ids_are_ascii_where_the_jobs_locale_is(
    tmp_path: Path, environ: dict[str, str], name: str
) -> None:
    jobspec = make_jobspec("prog", environment=environ)
    where = layout(jobspec, ResourceSet.from_json(make_r([0])))
    names = prepare(1234, jobspec, where, where.nodes[0], str(tmp_path)).names
    assert render("{{id}} {{jobid.f58}} {{id.dec}}", names) == f"{name} {name} 1234"
