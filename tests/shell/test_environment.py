"""The environment of tasks."""

from fluxcore.resource.rset import ResourceSet
from fluxcore.shell.environment import Site, job_environment, task_environment
from fluxcore.shell.layout import layout
from fluxcore.shell.mustache import Names
from fluxcore.shell.options import ShellOptions, parse
from support.jobspecs import make_jobspec, make_r

SITE = Site("local:///run/local-0", "/", "thishost", "job-1234")


def names(gpus: int = 0, tasks: int = 2) -> Names:
    rset = ResourceSet.from_json(make_r([0], 2, gpus=gpus))
    where = layout(make_jobspec(tasks=tasks), rset)
    return Names(1234, "true", where, "/run/jobtmp-0-ƒNH", where.nodes[0])


def test_tasks_know_their_job_and_their_instance() -> None:
    given = {"A": "b", "NULL": None, "FLUX_PROXY_REMOTE": "x", "FLUX_URI": "another"}
    env = job_environment(given, SITE, names(), ShellOptions())
    assert env == {
        "A": "b",
        "FLUX_URI": "local:///run/local-0",
        "FLUX_KVS_NAMESPACE": "job-1234",
        "FLUX_JOB_ID": "ƒNH",
        "FLUX_JOB_ID_PATH": "/ƒNH",
        "FLUX_JOB_SIZE": "2",
        "FLUX_JOB_NNODES": "1",
        "FLUX_JOB_TMPDIR": "/run/jobtmp-0-ƒNH",
        "CUDA_VISIBLE_DEVICES": "-1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }


def test_ids_are_ascii_for_who_asks_for_it() -> None:
    env = job_environment({}, SITE, names()._replace(ascii_ids=True), ShellOptions())
    assert env["FLUX_JOB_ID"] == "fNH"


def test_a_job_in_a_job_has_both_in_its_path() -> None:
    site = Site("local:///x", "/ƒA", "thishost", "job-1234")
    assert job_environment({}, site, names(), ShellOptions())["FLUX_JOB_ID_PATH"] == "/ƒA/ƒNH"


def test_the_submitters_host_is_not_the_tasks() -> None:
    assert job_environment({"HOSTNAME": "login"}, SITE, names(), ShellOptions())["HOSTNAME"] == (
        "thishost"
    )


def test_gpus_are_shown_unless_affinity_is_off() -> None:
    env = job_environment({}, SITE, names(gpus=4), ShellOptions())
    assert env["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
    options = parse({"gpu-affinity": "per-task"})
    own = task_environment(1, 1, 2, options, names(gpus=4))
    assert own["CUDA_VISIBLE_DEVICES"] == "2,3"
    off = job_environment({}, SITE, names(gpus=4), parse({"gpu-affinity": "off"}))
    assert "CUDA_VISIBLE_DEVICES" not in off


def test_a_task_knows_its_ranks_and_its_pmi_server() -> None:
    assert task_environment(5, 1, 8, ShellOptions(), names()) == {
        "FLUX_TASK_RANK": "5",
        "FLUX_TASK_LOCAL_ID": "1",
        "PMI_FD": "20",
        "PMI_RANK": "5",
        "PMI_SIZE": "8",
    }
    assert "PMI_FD" not in task_environment(5, 1, 8, parse({"pmi": "off"}), names())


def test_templates_are_filled_in_for_the_job_and_for_each_task() -> None:
    options = parse({"env-expand": {"OUT": "{{id}}.{{taskid}}", "ID": "{{id.dec}}"}})
    env = job_environment({}, SITE, names(), options)
    assert env["ID"] == "1234"
    assert env["OUT"] == "ƒNH.{{taskid}}"
    assert task_environment(3, 0, 8, options, names())["OUT"] == "ƒNH.3"
