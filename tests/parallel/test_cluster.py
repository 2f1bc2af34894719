"""The commands on a Ray cluster of several nodes, all on loopback, one of which is killed at its work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

pytest.importorskip("ray", reason="ray is not installed: pip install lvc[ray]")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SAMPLING = ["--every", "1", "--size", "96x64"]


@pytest.fixture(scope="module", autouse=True)
def environment():
    """Of nodes and commands: loopback alone, nothing told to anybody, this checkout's lvc."""
    # The variable makes Ray take 127.0.0.1 for its own address, as it does by itself on other systems than Linux.
    ours = {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ours.items():
            patch.setenv(name, value)
        yield {**os.environ}


@pytest.fixture
def cluster():
    """A head that takes no work and three nodes of one core each."""
    from ray.cluster_utils import Cluster

    memory = 80 << 20  # of the object store, Ray's least: nothing of size goes through it
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": memory, "include_dashboard": False}
    )
    try:
        cluster.workers = [cluster.add_node(num_cpus=1, object_store_memory=memory) for _ in range(3)]
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture
def recordings(tmp_path, make_recording, gameplay):
    folder = tmp_path / "recordings"
    for number in range(5):
        make_recording(folder / f"game_{number}.mp4", gameplay(900, seed=number))
    (folder / "broken.mp4").write_text("no video")
    return folder


def start(environment, folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "lvc", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def worker_of(part):
    """The process that has a file open."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and any(
                os.path.samefile(link, part) for link in (entry / "fd").iterdir() if link.exists()
            ):
                return int(entry.name)
        except OSError:  # of another user, or gone
            continue
    return None


def parents_of(process):
    found = []
    while process > 1:
        found.append(process)
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def kill_node_at_work(cluster, until, parts):
    """Kills the node whose worker writes the first of the parts to be seen; gives that part."""
    part = until(lambda: next(iter(parts()), None), 120)
    worker = until(lambda: worker_of(part), 30)
    lineage = parents_of(worker)
    node = next(node for node in cluster.workers if node.all_processes["raylet"][0].process.pid in lineage)
    cluster.remove_node(node, allow_graceful=False)
    return part


@pytest.mark.usefixtures("recordings")
def test_a_killed_nodes_recordings_are_coded_again_to_the_same_bytes(cluster, environment, tmp_path, save_small, until):
    save_small(tmp_path / "small.safetensors", "temporal")
    arguments = ["encode", "recordings", *SAMPLING, "--keyint", "16", "--model", "small.safetensors"]
    process = start(environment, tmp_path, *arguments, "-o", "there", "--ray", cluster.address)
    part = kill_node_at_work(cluster, until, lambda: (tmp_path / "there").glob("*.part"))
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 3, errors
    assert "broken.mp4: cannot be read as a video" in errors and "1 of 6 recordings failed" in errors
    assert f"{part.name.removesuffix('.lvc.part')}.mp4: its worker died; another one begins it again" in errors
    assert out == "" and "Traceback" not in errors

    here = start(environment, tmp_path, *arguments, "-o", "here", "-w", "1", "-q")
    here.communicate(timeout=300)
    assert here.returncode == 3
    made = files(tmp_path / "here")
    assert len(made) == 5 and part.name.removesuffix(".part") in made
    assert files(tmp_path / "there") == made


# Python runs it in every process that has its folder on its path, which on a cluster are the workers' too.
FAULTY = """
import importlib.util
import sys


class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "lvc.video.sample":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        whole = spec.loader.exec_module

        def exec_module(module):
            whole(module)
            sound = module.timed_frames

            def timed_frames(container, stream, path, **options):
                for number, frame in enumerate(sound(container, stream, path, **options)):
                    if number == 3 and "faulty" in path.name:
                        raise ZeroDivisionError("three frames")
                    yield frame

            module.timed_frames = timed_frames

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
"""


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """The environment of programs, and of clusters that are started after it, whose lvc meets what it does not foresee:
    recordings called faulty.
    """
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(FAULTY)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT}")
    return {**os.environ}


@pytest.mark.parametrize("command", ["encode", "build-dataset"])
def test_a_fault_of_any_kind_is_its_files_own_on_a_cluster_too(
    faulty, cluster, tmp_path, make_recording, gameplay, save_small, command
):
    for name in ("faulty", "game"):
        make_recording(tmp_path / "recordings" / f"{name}.mp4", gameplay(20))
    save_small(tmp_path / "small.safetensors", "temporal")
    model = ["--model", "small.safetensors"] if command == "encode" else []
    arguments = [command, "recordings", *SAMPLING, *model, "--ray", cluster.address, "-q"]
    process = start(faulty, tmp_path, *arguments, "-o", "there")
    out, errors = process.communicate(timeout=300)
    assert (process.returncode, out) == (3, ""), errors
    told = "recordings/faulty.mp4: ZeroDivisionError: three frames"
    assert told in errors.splitlines()[0] and "Traceback" not in errors
    assert any("game" in name for name in files(tmp_path / "there"))
    process = start(faulty, tmp_path, *arguments, "-o", "again", "--debug")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 3 and told in errors
    assert "Traceback (most recent call last):" in errors and "in timed_frames" in errors


@pytest.mark.usefixtures("recordings")
def test_a_killed_nodes_recordings_are_sampled_again_to_the_same_bytes(cluster, environment, tmp_path, until):
    arguments = ["build-dataset", "recordings", *SAMPLING]
    process = start(environment, tmp_path, *arguments, "-o", "there", "--ray", cluster.address)
    part = kill_node_at_work(cluster, until, lambda: (tmp_path / "there").rglob("*.part"))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 3, errors
    assert f"{part.name.removesuffix('.frames.part')}: its worker died; another one begins it again" in errors
    assert "left out: recordings/broken.mp4" in errors and "Traceback" not in errors
    here = start(environment, tmp_path, *arguments, "-o", "here", "-w", "2", "-q")
    here.communicate(timeout=300)
    assert here.returncode == 3
    made = files(tmp_path / "here")
    assert len(made) == 6 and files(tmp_path / "there") == made

    # Built again, all is there already.
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "there").rglob("*.frames")}
    process = start(environment, tmp_path, *arguments, "-o", "there", "--ray", cluster.address)
    assert process.communicate(timeout=300) and process.returncode == 3
    assert {path: path.stat().st_mtime_ns for path in times} == times
