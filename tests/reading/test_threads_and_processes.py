"""Readers in many threads, in forked and spawned processes of a program whose torch has used its threads, and after
they were closed.
"""

import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import lvc
from tests import ROOT
from tests.builders import all_families

FRAMES = 13


@pytest.fixture(scope="module", autouse=True)
def toy():
    with all_families.toy():
        yield


def made(model, folder, save_small):
    """A file of 13 frames in groups of 4, and its weights, None where it has none."""
    checkpoint, weights = all_families.small_model(model, folder, save_small)
    generator = np.random.default_rng(1)
    path = folder / f"{model}.lvc"
    with lvc.Writer(path, fps=10, model=checkpoint, keyint=4, geometry=lvc.Geometry(40, 32)) as writer:
        for _ in range(FRAMES):
            writer.write(np.repeat(np.repeat(generator.integers(0, 256, (4, 5, 3), np.uint8), 8, axis=0), 8, axis=1))
    return path, weights


@pytest.fixture(scope="module")
def every_file(tmp_path_factory, save_small):
    """A file by every family, and by every codec of those that have several."""
    folder = tmp_path_factory.mktemp("coded")
    return {model: made(model, folder, save_small) for model in all_families.all_models()}


@pytest.fixture(params=all_families.all_models())
def coded(request, every_file):
    return every_file[request.param]


def test_one_reader_read_by_eight_threads(coded):
    path, weights = coded
    with lvc.open(path, model=weights) as reader:
        wanted = reader[:].clone()
    orders = [np.random.default_rng(seed).permutation(FRAMES).tolist() for seed in range(8)]
    with lvc.open(path, model=weights, cache_bytes=1000) as reader, ThreadPoolExecutor(8) as pool:
        for order, found in zip(orders, pool.map(lambda order: [reader[number] for number in order], orders)):
            assert all((frame == wanted[number]).all() for number, frame in zip(order, found))


# A program, because its torch is to have run threads before it makes processes.
PROGRAM = """
import json, os, sys
import torch
import lvc
from lvc.codecs import family

family.register("toy", "tests.codecs.toy_family", models=("toy",))

def frame_of(path, weights):
    with lvc.open(path, model=weights) as reader:
        return int(reader[5].sum())

def child(queue, files, readers):
    queue.put([(frame_of(*file), int(reader[5].sum())) for file, reader in zip(files, readers)])

if __name__ == "__main__":
    files, method, how = json.loads(sys.argv[1]), *sys.argv[2:]
    torch.set_num_threads(4)
    torch.nn.Conv2d(16, 16, 3)(torch.randn(1, 16, 256, 256))  # which starts OpenMP's threads
    torch.randn(400, 400) @ torch.randn(400, 400)
    readers = [lvc.open(path, model=weights) for path, weights in files]
    wanted = [int(reader[5].sum()) for reader in readers]
    if how == "loader":
        sets = [lvc.FrameDataset(path, model=weights) for path, weights in files]
        data = torch.utils.data.ConcatDataset(sets)
        loader = torch.utils.data.DataLoader(
            data, batch_size=5, num_workers=2, multiprocessing_context=method, collate_fn=list
        )
        frames = [item["frames"][0] for batch in loader for item in batch]
        assert len(frames) == sum(map(len, readers))
        firsts = [0, *data.cumulative_sizes[:-1]]
        assert [int(frames[first + 5].sum()) for first in firsts] == wanted
    else:
        context = torch.multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=child, args=(queue, files, readers))
        process.start()
        assert queue.get(timeout=200) == [(one, one) for one in wanted]
        process.join()
    print(len(files), "read")
"""


@pytest.mark.parametrize("how", ["loader", "process"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_a_program_whose_torch_has_used_threads(every_file, tmp_path, method, how):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    # OMP_NUM_THREADS=1, which the tests set, would hide that a forked process waits for threads that it has not.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    files = [(str(path), weights and str(weights)) for path, weights in every_file.values()]
    environment["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        [sys.executable, str(program), json.dumps(files), method, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        out, errors = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        pytest.fail("hangs")
    assert (process.returncode, out) == (0, f"{len(files)} read\n"), errors


def test_a_reader_over_an_open_file_says_so_after_a_fork(coded):
    path, weights = coded
    with open(path, "rb") as file, lvc.open(file, model=weights) as reader:
        wanted = int(reader[3].sum())
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                reader[3]
                os.write(write, b"read on")
            except lvc.LvcError as error:
                os.write(write, str(error).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert b"cannot be used after a fork" in os.read(read, 1000)
        assert int(reader[3].sum()) == wanted


@pytest.mark.parametrize("kind", ["path", "bytes", "file", "a file that its owner has closed"])
def test_a_closed_reader_raises_an_error_of_ours(coded, kind):
    path, weights = coded
    content = path.read_bytes()
    file = io.BytesIO(content)
    reader = lvc.open({"path": path, "bytes": content}.get(kind, file), model=weights)
    assert len(reader[2].shape) == 3
    if kind.startswith("a file"):
        file.close()
    else:
        reader.close()
    for use in (lambda: reader[9], lambda: reader.refresh(), lambda: next(iter(reader.batches(8)))):
        with pytest.raises(lvc.LvcError, match="is closed|closed file"):
            use()
    reader.close()
