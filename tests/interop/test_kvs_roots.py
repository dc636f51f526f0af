"""The same commits in flux-core and here lead to the same roots, or fail the same way."""

import json
import random
from typing import Any

import pytest

from fluxcore.kvs import ops, treeobj
from support.flux_core import START
from support.kvs_store import Store

#: Run by flux-core's own Python: each commit of standard input, its root or errno.
SCRIPT = """
import json, sys, flux
h = flux.Flux()
h.rpc("kvs.namespace-create", {"namespace": "t", "owner": -1, "flags": 0,
      "rootref": "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"}, nodeid=0).get_str()
results = []
for ops in json.load(sys.stdin):
    try:
        payload = {"namespace": "t", "flags": 0, "ops": ops}
        results.append(h.rpc("kvs.commit", payload).get()["rootref"])
    except OSError as exc:
        results.append(exc.errno)
json.dump(results, sys.stdout)
"""


def random_commits(count: int, seed: int) -> list[list[ops.Op]]:
    rng = random.Random(seed)

    def key() -> str:
        return ".".join(rng.choices(["a", "b", "c", "ü", "x\x1f", "J"], k=rng.randint(1, 4)))

    def op() -> ops.Op:
        value = rng.randbytes(rng.choice([0, 1, 53, 54, 55, 56, 300]))
        tree = treeobj.make_dir({key(): treeobj.make_val(value), "sub": treeobj.make_dir()})
        return rng.choice(
            [
                ops.put(key(), value),
                ops.append(key(), value),
                ops.append(key(), value),
                ops.unlink(key()),
                ops.mkdir(key()),
                ops.put_treeobj(key(), tree),
                ops.symlink(key(), f"l{rng.randint(0, 9)}.{key()}", rng.choice([None, "t", "o"])),
            ]
        )

    return [[op() for _ in range(rng.randint(1, 8))] for _ in range(count)]


@pytest.mark.interop
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_random_commits_have_flux_cores_roots(flux_core: Any, seed: int) -> None:
    commits = random_commits(150, seed)
    theirs = flux_core(*START, "sh", "-c", f"flux python -c '{SCRIPT}'", stdin=json.dumps(commits))
    store = Store()
    ours: list[str | int] = []
    for todo in commits:
        try:
            ours.append(store.commit(*todo, namespace="t").rootref)
        except OSError as exc:
            ours.append(exc.errno or -1)
    assert ours == json.loads(theirs)
    assert len({root for root in ours if isinstance(root, str)}) > 50
