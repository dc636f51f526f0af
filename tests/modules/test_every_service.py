"""Every service of an instance, used on each of its ranks, with one real broker and with four."""

import hashlib
from collections.abc import Iterator

import pytest

from fluxcore.handle.blocking import Flux
from fluxcore.kvs import batch
from fluxcore.kvs.watch import WAITCREATE, WATCH
from fluxcore.wire.constants import STREAMING
from support.instance import Instance, start

pytestmark = pytest.mark.slow

EVERYWHERE = (
    *("config", "overlay", "groups", "connector-local", "heartbeat", "barrier"),
    *("content", "kvs", "kvs-watch", "resource", "job-info", "job-ingest", "job-exec"),
)
LEADER_ONLY = ("content-sqlite", "job-manager", "job-list", "sched-simple")


@pytest.fixture(scope="module", params=[1, 4], ids=["one broker", "four brokers"])
def instance(request: pytest.FixtureRequest) -> Iterator[tuple[Instance, int]]:
    with start(request.param) as made:
        yield made, request.param


@pytest.fixture
def size(instance: tuple[Instance, int]) -> int:
    return instance[1]


@pytest.fixture
def flux(instance: tuple[Instance, int]) -> Iterator[Flux]:
    with Flux(instance[0].uri) as handle:
        yield handle


def test_each_module_runs_and_answers_on_its_ranks(flux: Flux, size: int) -> None:
    for rank in range(size):
        wanted = {*EVERYWHERE, *(LEADER_ONLY if rank == 0 else ())}
        modules = {
            each["name"]: each["status"]
            for each in flux.rpc("module.list", nodeid=rank).json["mods"]
        }
        assert modules.keys() >= wanted
        for name in wanted:
            assert modules[name] == 1
            answer = flux.rpc(f"{name}.ping", {"seq": rank}, nodeid=rank).json
            assert (answer["seq"], answer["rank"]) == (rank, rank)
            assert isinstance(flux.rpc(f"{name}.stats-get", nodeid=rank).json, dict)


def test_a_blob_of_one_rank_is_every_ranks(flux: Flux, size: int) -> None:
    for rank in range(size):
        blob = b"blob of rank %d" % rank
        digest = flux.rpc("content.store", blob, nodeid=rank).data
        assert digest == hashlib.sha1(blob).digest()
        for other in range(size):
            assert flux.rpc("content.load", digest, nodeid=other).data == blob
    flux.rpc("content.flush")
    some = [b"one", b"two"]
    digests = flux.rpc("content-backing.store-batch", batch.pack(some)).data
    assert digests == b"".join(hashlib.sha1(blob).digest() for blob in some)


def test_a_key_of_one_rank_is_every_ranks(flux: Flux, size: int) -> None:
    key = "everywhere.key"
    watches = [
        flux.start(
            "kvs-watch.lookup",
            {"namespace": "primary", "key": key, "flags": WATCH | WAITCREATE},
            nodeid=rank,
            flags=STREAMING,
        )
        for rank in range(size)
    ]
    val = {"ver": 1, "type": "val", "data": "aGk="}
    ops = [{"key": key, "flags": 0, "dirent": val}]
    made = flux.rpc(
        "kvs.commit", {"namespace": "primary", "flags": 0, "ops": ops}, nodeid=size - 1
    ).json
    for rank in range(size):
        wait = {"namespace": "primary", "rootseq": made["rootseq"]}
        flux.rpc("kvs.wait-version", wait, nodeid=rank)
        answer = flux.rpc(
            "kvs.lookup", {"namespace": "primary", "key": key, "flags": 0}, nodeid=rank
        )
        assert answer.json["val"] == val
        assert watches[rank].get(10).json["val"] == val


def test_resources_of_all_are_known_on_rank_0(flux: Flux, size: int) -> None:
    status = flux.rpc("resource.sched-status").json
    ranks = [group["rank"] for group in status["all"]["execution"]["R_lite"]]
    assert ranks == (["0"] if size == 1 else [f"0-{size - 1}"])
    assert flux.rpc("groups.get", {"name": "broker.online"}, flags=STREAMING).json["members"] == (
        "0" if size == 1 else f"0-{size - 1}"
    )


def test_a_job_is_submitted_and_followed_on_any_rank(
    instance: tuple[Instance, int], flux: Flux, size: int
) -> None:
    where = ["-N4", "-n4"] if size == 4 else ["-n1"]
    done = instance[0].flux("submit", *where, "sh", "-c", "echo $FLUX_TASK_RANK")
    jobid = instance[0].flux("job", "id", "--to=dec", done.stdout.strip()).stdout.strip()
    payload = {"id": int(jobid), "path": "eventlog", "flags": 0}
    for rank in range(size):
        watch = flux.start("job-info.eventlog-watch", payload, nodeid=rank, flags=STREAMING)
        while '"clean"' not in watch.get(20).json["event"]:
            pass
    listed = flux.rpc("job-list.list-id", {"id": int(jobid), "attrs": ["result", "nnodes"]}).json
    assert listed["job"]["result"] == 1
    assert listed["job"]["nnodes"] == size
