"""The environment of a job's tasks (CONTRACTS D21, G1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fluxcore.job import jobid
from fluxcore.shell.mustache import Names, render
from fluxcore.shell.options import ShellOptions

#: The descriptor that a task has its PMI socket under: none that scripts use for files.
PMI_FD: Final = 20


@dataclass(frozen=True, slots=True)
class Site:
    """What a broker tells the tasks it runs: where they are."""

    uri: str
    jobid_path: str
    hostname: str
    namespace: str


def job_environment(
    given: Mapping[str, str | None], site: Site, names: Names, options: ShellOptions
) -> dict[str, str]:
    """The environment that all tasks of a job have on a node.

    ``given`` is that of the jobspec; a null there is a variable that is not to be set.
    """
    env = {name: value for name, value in given.items() if value is not None}
    env.pop("FLUX_PROXY_REMOTE", None)
    f58 = jobid.f58(names.jobid, ascii_only=names.ascii_ids)
    above = "" if site.jobid_path == "/" else site.jobid_path
    env["FLUX_URI"] = site.uri
    env["FLUX_KVS_NAMESPACE"] = site.namespace
    env["FLUX_JOB_ID"] = f58
    env["FLUX_JOB_ID_PATH"] = f"{above}/{f58}"
    env["FLUX_JOB_SIZE"] = str(names.layout.ntasks)
    env["FLUX_JOB_NNODES"] = str(len(names.layout.nodes))
    if names.tmpdir is not None:
        env["FLUX_JOB_TMPDIR"] = names.tmpdir
    if "HOSTNAME" in env:  # the submitter's is another host's
        env["HOSTNAME"] = site.hostname
    if options.gpu_affinity != "off" and names.node is not None:
        gpus = ",".join(map(str, names.node.gpus))
        env["CUDA_VISIBLE_DEVICES"] = gpus or "-1"
        env.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    for name, template in options.env_expand.items():
        env[name] = render(template, names)
    return env


def task_environment(
    taskid: int, index: int, size: int, options: ShellOptions, names: Names
) -> dict[str, str]:
    """What a task has beyond its job's environment."""
    env = {"FLUX_TASK_RANK": str(taskid), "FLUX_TASK_LOCAL_ID": str(index)}
    if options.pmi:
        env |= {"PMI_FD": str(PMI_FD), "PMI_RANK": str(taskid), "PMI_SIZE": str(size)}
    if options.gpu_affinity == "per-task" and names.node is not None:
        env["CUDA_VISIBLE_DEVICES"] = _own_gpus(names, index)
    if options.env_expand:
        mine = names.of_task(taskid, index)
        for name, template in options.env_expand.items():
            env[name] = render(template, mine)
    return env


def _own_gpus(names: Names, index: int) -> str:
    """The share of the node's gpus that its task number ``index`` gets."""
    assert names.node is not None
    gpus = list(names.node.gpus)
    each = len(gpus) // max(len(names.node.tasks), 1)
    return ",".join(map(str, gpus[index * each : (index + 1) * each]))
