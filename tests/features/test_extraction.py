"""Extraction: the right cubes, the same bytes after an interruption, and clear refusals."""

import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image

from wherewhen.features import extraction as extraction_module
from wherewhen.features.augmentation import Augmentation
from wherewhen.features.backbones import Backbone, Preprocessing, build_backbone
from wherewhen.features.cube_store import CubeStore, CubeStoreError
from wherewhen.features.extraction import (
    READ_AHEAD,
    CubeExtraction,
    ExtractionError,
    StreamedCubes,
    fill,
    read_frame,
)
from wherewhen.features.weights import WeightsSource
from wherewhen.tracklets.windows import SpreadFrames, Window

LENGTHS = {"cam_a/person_0001": 5, "cam_a/person_0002": 2, "cam_b/person_0001": 9}


def write_dataset(root, sizes=((64, 128),)):
    """Write PNGs of noise, and their tables."""
    generator = np.random.default_rng(0)
    rows = []
    for tracklet, length in LENGTHS.items():
        (root / tracklet).mkdir(parents=True)
        for position in range(length):
            width, height = sizes[position % len(sizes)]
            path = f"{tracklet}/{position + 1:04d}.png"
            noise = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / path)
            sha256 = hashlib.sha256((root / path).read_bytes()).hexdigest()
            rows.append((tracklet, position, position + 1, path, width, height, sha256))
    columns = ["tracklet", "position", "frame", "path", "width", "height", "sha256"]
    frames = pd.DataFrame(rows, columns=columns)
    tracklets = pd.DataFrame(
        {
            "tracklet": list(LENGTHS),
            "person": [tracklet[-4:] for tracklet in LENGTHS],
            "camera": [tracklet[:5] for tracklet in LENGTHS],
            "length": list(LENGTHS.values()),
        }
    )
    return root, tracklets, frames


def tiny_backbone(scale=1.0):
    """A single convolution: 16 pixels in, a 4 x 4 x 8 cube out."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        convolution = torch.nn.Conv2d(3, 8, kernel_size=4, stride=4)
    convolution.weight.data *= scale
    return Backbone("tiny", convolution, Preprocessing(size=(16, 16)), {"scale": scale})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("frames"))


@pytest.fixture
def extraction(dataset):
    return CubeExtraction(tiny_backbone(), *dataset, batch_size=4)


@pytest.fixture
def store(tmp_path, extraction):
    return CubeStore.create(tmp_path, extraction.identity)


def bytes_of(store):
    files = [path for path in store.folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(store.folder).as_posix(): path.read_bytes() for path in files}


def test_cubes_are_the_backbones_frame_by_frame(extraction, dataset):
    root, _, frames = dataset
    (cubes,) = extraction.cubes_of("cam_b/person_0001")
    assert cubes.dtype == np.float16
    assert cubes.shape == (9, *extraction.cube_shape) == (9, 4, 4, 8)
    rows = frames[frames.tracklet == "cam_b/person_0001"].sort_values("position")
    for cube, path in zip(cubes, rows.path, strict=True):
        image = np.asarray(Image.open(root / path))[None]
        expected = extraction.backbone(image)[0].numpy()
        np.testing.assert_allclose(cube, expected, rtol=2e-3, atol=1e-3)


def test_frames_come_in_the_order_of_their_positions(dataset):
    root, tracklets, frames = dataset
    shuffled = frames.sample(frac=1, random_state=0)
    straight = CubeExtraction(tiny_backbone(), root, tracklets, frames)
    crossed = CubeExtraction(tiny_backbone(), root, tracklets, shuffled)
    for tracklet in LENGTHS:
        np.testing.assert_array_equal(straight.cubes_of(tracklet), crossed.cubes_of(tracklet))


def test_frames_of_different_sizes(tmp_path):
    plan = CubeExtraction(tiny_backbone(), *write_dataset(tmp_path, sizes=((64, 128), (30, 90))))
    assert plan.cubes_of("cam_b/person_0001").shape == (1, 9, 4, 4, 8)


def test_fill_makes_a_complete_store(store, extraction):
    fill(store, extraction, progress=False)
    assert store.complete
    assert store.verify() == []
    assert store.lengths == LENGTHS
    for tracklet in LENGTHS:
        np.testing.assert_array_equal(
            store.read(store.whole(tracklet)), extraction.cubes_of(tracklet)[0]
        )


def test_a_complete_store_is_left_alone(store, extraction, monkeypatch):
    fill(store, extraction, progress=False)
    monkeypatch.setattr(CubeExtraction, "stream", None)  # nothing may be computed
    fill(store, extraction, progress=False)


def test_the_bar_counts_frames(store, extraction, capsys):
    fill(store, extraction)
    shown = capsys.readouterr().err
    assert "16/16" in shown
    assert "frames/s" in shown


def test_only_what_is_missing_is_made_again(store, extraction, monkeypatch):
    fill(store, extraction, progress=False)
    before = bytes_of(store)
    store.discard("cam_a/person_0002")
    made = []
    stream = CubeExtraction.stream
    monkeypatch.setattr(
        CubeExtraction, "stream", lambda self, names: stream(self, made.extend(names) or made)
    )
    fill(store, extraction, progress=False)
    assert made == ["cam_a/person_0002"]
    assert bytes_of(store) == before


def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path, extraction, monkeypatch):
    undisturbed = CubeStore.create(tmp_path / "one", extraction.identity)
    fill(undisturbed, extraction, progress=False)

    interrupted = CubeStore.create(tmp_path / "two", extraction.identity)
    write = CubeStore.write

    def once(self, tracklet, cubes, *rest):
        if self.lengths:
            raise KeyboardInterrupt
        write(self, tracklet, cubes, *rest)

    monkeypatch.setattr(CubeStore, "write", once)
    with pytest.raises(KeyboardInterrupt):
        fill(interrupted, extraction, progress=False)
    assert len(interrupted.lengths) == 1
    assert not interrupted.complete
    monkeypatch.undo()
    fill(interrupted, extraction, progress=False)
    assert bytes_of(interrupted) == bytes_of(undisturbed)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_extraction as tests
from wherewhen import atomic
from wherewhen.features.extraction import CubeExtraction, fill
import pandas as pd

root = Path(sys.argv[2])
plan = CubeExtraction(
    tests.tiny_backbone(), root / "frames",
    pd.read_pickle(root / "tracklets.pkl"), pd.read_pickle(root / "frames.pkl"), batch_size=4,
)
store = tests.CubeStore.create(root / "stores", plan.identity)
count, sync = iter(range(10)), atomic._sync

def killed_in_the_middle(path):
    if path.suffix == ".tmp" and next(count) == 1:  # the second file
        os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    sync(path)

atomic._sync = killed_in_the_middle
fill(store, plan, progress=False)
"""


def test_killed_with_sigkill_and_run_again(tmp_path):
    root, tracklets, frames = write_dataset(tmp_path / "frames")
    tracklets.to_pickle(tmp_path / "tracklets.pkl")
    frames.to_pickle(tmp_path / "frames.pkl")
    plan = CubeExtraction(tiny_backbone(), root, tracklets, frames, batch_size=4)
    store = CubeStore.create(tmp_path / "stores", plan.identity)
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path)]
    killed = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(store.lengths) == 1
    assert len(list(store.folder.rglob("*.tmp"))) == 1  # the half-written one
    fill(store, plan, progress=False)
    undisturbed = CubeStore.create(tmp_path / "undisturbed", plan.identity)
    fill(undisturbed, plan, progress=False)
    assert bytes_of(store) == bytes_of(undisturbed)


def test_the_identity_follows_what_cubes_depend_on(dataset):
    root, tracklets, frames = dataset
    plain = CubeExtraction(tiny_backbone(), root, tracklets, frames).identity
    other_pixels = frames.assign(sha256=frames.sha256.where(frames.index > 0, "0" * 64))
    others = [
        CubeExtraction(tiny_backbone(2.0), root, tracklets, frames),
        CubeExtraction(tiny_backbone(), root, tracklets, other_pixels),
        CubeExtraction(tiny_backbone(), root, tracklets, frames, batch_size=3),
    ]
    assert all(other.identity != plain for other in others)
    assert CubeExtraction(tiny_backbone(), Path("elsewhere"), tracklets, frames).identity == plain
    more = CubeExtraction(tiny_backbone(), root, tracklets, frames, readers=3)
    assert more.identity == plain


def test_another_version_makes_cubes_of_its_own(store, extraction, made, monkeypatch):
    fill(store, extraction, progress=False)
    monkeypatch.setattr(extraction_module, "VERSION", extraction_module.VERSION + 1)
    later = replace(extraction)
    other = CubeStore.create(store.folder.parent, later.identity)
    assert other.key != store.key
    made.clear()
    fill(other, later, progress=False)
    assert made == list(LENGTHS)  # nothing is taken over from the store beside it


def test_a_store_of_other_cubes_is_refused(tmp_path, extraction):
    with pytest.raises(ValueError, match="store of other cubes"):
        fill(CubeStore.create(tmp_path, {"other": 1}), extraction)


def test_too_small_a_disk_is_refused_before_the_start(store, extraction, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 0, 10))
    with pytest.raises(CubeStoreError, match=r"need .* are free under .* Nothing was written"):
        fill(store, extraction, progress=False)
    assert list(store.lengths) == []


def test_a_budget_is_kept(store, extraction):
    small = replace(extraction, budget_gib=1e-6)
    with pytest.raises(CubeStoreError, match=r"need 0.00 GiB, the budget .* is 1e-06 GiB. Ways"):
        fill(store, small, progress=False)
    assert list(store.lengths) == []
    fill(store, replace(extraction, budget_gib=1e-3), progress=False)


def test_what_is_needed_is_said_beforehand(store, extraction, caplog):
    with caplog.at_level("INFO"):
        fill(store, extraction, progress=False)
    assert "3 tracklets, 16 frames in 1 variant(s), float16: 0.00 GiB" in caplog.text


@pytest.fixture
def made(monkeypatch):
    """Tracklets that are computed and written, in order."""
    names, write = [], CubeStore.write
    monkeypatch.setattr(
        CubeStore, "write", lambda self, *rest: (names.append(rest[0]), write(self, *rest))
    )
    return names


def damage(store, tracklet):
    file = store.folder / f"cubes/{tracklet}.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 4
    file.write_bytes(content)


def test_what_is_found_damaged_is_made_again(store, extraction, made):
    fill(store, extraction, progress=False)
    before = bytes_of(store)
    damage(store, "cam_b/person_0001")
    damage(store, "cam_a/person_0001")
    made.clear()
    fill(CubeStore(store.folder), extraction, progress=False)  # their sizes are right
    assert made == []
    with pytest.raises(CubeStoreError, match="cam_b/person_0001"):
        CubeStore(store.folder).read(Window("cam_b/person_0001", 2, 4))
    again = CubeStore(store.folder)
    fill(again, extraction, progress=False)  # one is missing, so all others are looked at
    assert sorted(made) == ["cam_a/person_0001", "cam_b/person_0001"]
    assert bytes_of(again) == before


def test_damaged_cubes_are_not_taken_over(store, extraction, made, caplog):
    fill(store, extraction, progress=False)
    fewer = replace(
        extraction,
        tracklets=extraction.tracklets[extraction.tracklets.tracklet != "cam_a/person_0002"],
        frames=extraction.frames[extraction.frames.tracklet != "cam_a/person_0002"],
    )
    expected = store.read(store.whole("cam_b/person_0001"))
    damage(store, "cam_b/person_0001")
    made.clear()
    neighbour = CubeStore.create(store.folder.parent, fewer.identity)
    fill(neighbour, fewer, progress=False)
    assert made == ["cam_b/person_0001"]
    assert f"{store.folder}/cubes/cam_b/person_0001.safetensors does not match" in caplog.text
    np.testing.assert_array_equal(neighbour.read(neighbour.whole("cam_b/person_0001")), expected)
    made.clear()
    assert not store.complete  # it takes the new file over
    fill(store, extraction, progress=False)
    assert made == []
    np.testing.assert_array_equal(store.read(store.whole("cam_b/person_0001")), expected)


# --- variants ------------------------------------------------------------------------------------


@pytest.fixture
def augmented(extraction):
    return replace(extraction, augmentation=Augmentation(variants=3, mirror=True, seed=1))


def test_variants_are_views_of_the_frames(augmented, dataset):
    cubes = augmented.cubes_of("cam_b/person_0001")
    assert cubes.shape == (3, 9, 4, 4, 8)
    path = dataset[0] / "cam_b/person_0001/0003.png"
    for variant in range(3):
        view = augmented.augmentation.view("cam_b/person_0001", 2, variant)
        image = view.of(np.asarray(Image.open(path)))
        expected = augmented.backbone(image[None])[0].numpy()
        np.testing.assert_allclose(cubes[variant, 2], expected, rtol=2e-3, atol=1e-3)


def test_variant_0_is_the_plain_frame(augmented, extraction):
    plain = extraction.cubes_of("cam_a/person_0001")[0]
    np.testing.assert_array_equal(augmented.cubes_of("cam_a/person_0001")[0], plain)
    assert augmented.identity != extraction.identity


def test_more_readers_change_nothing(augmented):
    many = replace(augmented, readers=3)
    for tracklet in LENGTHS:
        np.testing.assert_array_equal(many.cubes_of(tracklet), augmented.cubes_of(tracklet))


# --- threads -------------------------------------------------------------------------------------


@pytest.fixture
def intra_op_threads():
    """Set the number of torch's threads; restored in the end."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cubes_do_not_depend_on_the_number_of_threads(dataset, intra_op_threads, precision):
    """With 2 intra-op threads torch gives this network's float32 cubes other last digits."""
    weights = WeightsSource(source="random", seed=0)
    backbone = build_backbone("timm:test_efficientnet", weights, precision=precision)
    plan = CubeExtraction(backbone, *dataset, batch_size=4)
    made = []
    for threads in (1, 2):
        intra_op_threads(threads)
        for readers in (1, 2, 3):
            streamed = dict(replace(plan, readers=readers).stream(LENGTHS))
            window = plan.cubes_in(Window("cam_b/person_0001", 5, 9))
            made.append(b"".join(map(bytes, [*streamed.values(), window])))
            assert torch.get_num_threads() == threads
    assert len(set(made)) == 1


def test_every_thread_computes_with_one_intra_op_thread(dataset, intra_op_threads):
    threads = set()

    class Noting(torch.nn.Conv2d):
        def forward(self, images):
            threads.add((threading.get_ident(), torch.get_num_threads()))
            return super().forward(images)

    intra_op_threads(2)
    backbone = Backbone("noting", Noting(3, 8, 4, stride=4), Preprocessing(size=(16, 16)), {})
    threads.clear()
    plan = CubeExtraction(backbone, *dataset, batch_size=1, readers=2)
    assert [tracklet for tracklet, _ in plan.stream(LENGTHS)] == list(LENGTHS)
    assert {count for _, count in threads} == {1}
    assert threading.get_ident() not in {thread for thread, _ in threads}


@pytest.mark.parametrize("readers", [1, 3])
def test_an_error_in_a_thread_arrives_and_restores_the_threads(
    dataset, extraction, intra_op_threads, monkeypatch, readers
):
    compute, began = CubeExtraction._compute, []

    def fail_at_the_third(self, views):
        began.append(1)
        if len(began) == 3:
            raise RuntimeError("no memory")
        return compute(self, views)

    intra_op_threads(2)
    monkeypatch.setattr(CubeExtraction, "_compute", fail_at_the_third)
    with pytest.raises(RuntimeError, match="no memory"):
        dict(replace(extraction, batch_size=1, readers=readers).stream(LENGTHS))
    assert len(began) < 16  # what was not begun is not
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2


def test_little_is_made_ahead(extraction, monkeypatch):
    compute, began = CubeExtraction._compute, []
    monkeypatch.setattr(
        CubeExtraction, "_compute", lambda self, views: (began.append(1), compute(self, views))[1]
    )
    cubes = replace(extraction, batch_size=1, readers=2).stream(["cam_a/person_0002", *LENGTHS])
    next(cubes)
    cubes.close()
    assert len(began) <= 2 + 2 + READ_AHEAD  # of 18


def test_for_a_gpu_threads_only_decode(extraction, monkeypatch):
    expected = dict(extraction.stream(LENGTHS))
    compute, threads = tiny_backbone().compute, []
    extraction.backbone.device = torch.device("cuda")  # its part is played by the CPU
    monkeypatch.setattr(
        extraction.backbone,
        "compute",
        lambda images: (threads.append(threading.get_ident()), compute(images))[1],
    )
    for tracklet, cubes in replace(extraction, readers=2).stream(LENGTHS):
        np.testing.assert_array_equal(cubes, expected[tracklet])
    assert set(threads) == {threading.get_ident()}


@pytest.mark.parametrize(
    ("device", "readers", "expected"), [("cpu", None, 12), ("cuda", None, 8), ("cpu", 3, 3)]
)
def test_threads_are_the_processors(extraction, monkeypatch, device, readers, expected):
    monkeypatch.setattr(extraction_module, "processors", lambda: 12)
    extraction.backbone.device = torch.device(device)
    assert replace(extraction, readers=readers)._threads == expected


@pytest.mark.parametrize("storage", ["float16", "uint8"])
def test_what_is_not_kept_is_streamed_to_the_same_values(tmp_path, augmented, storage):
    plan = replace(augmented, storage=storage)
    whole = CubeStore.create(tmp_path / "whole", plan.identity)
    fill(whole, plan, progress=False)
    part = replace(plan, kept={"cam_a/person_0001"})
    store = CubeStore.create(tmp_path / "part", part.identity)
    fill(store, part, progress=False)
    assert list(store.lengths) == ["cam_a/person_0001"]
    assert store.complete
    reader = StreamedCubes(store, part)
    assert reader.lengths == LENGTHS
    for tracklet, length in LENGTHS.items():
        for start, stop, variant in ((0, length, 0), (1, length, 2), (1, 2, 1), (0, 0, 0)):
            window = Window(tracklet, start, stop, variant)
            np.testing.assert_array_equal(reader.read(window), whole.read(window))
    out = np.empty((2, 4, 4, 8), np.float16)
    window = Window("cam_b/person_0001", 5, 7)
    reader.read_into(window, out)
    np.testing.assert_array_equal(out, whole.read(window))
    for tracklet, granule in (("cam_a/person_0001", 1), ("cam_b/person_0001", plan.batch_size)):
        assert reader.granule(tracklet) == granule
        frames = SpreadFrames(tracklet, (0, 2, 3), 1)
        expected = whole.read(whole.whole(tracklet, 1))[[0, 2, 3]]
        np.testing.assert_array_equal(reader.read(frames), expected)
        np.testing.assert_array_equal(whole.read(frames), expected)
    assert reader.is_stored("cam_a/person_0001")
    assert not reader.is_stored("cam_b/person_0001")
    with pytest.raises(IndexError, match="frames 0 to 10 were asked for, it has 9"):
        reader.read(Window("cam_b/person_0001", 0, 10))
    with pytest.raises(IndexError, match="variant 3 was asked for, there are 3"):
        reader.read(Window("cam_b/person_0001", 0, 1, 3))


def test_a_kept_file_that_went_is_no_reason_to_compute(tmp_path, extraction):
    part = replace(extraction, kept={"cam_a/person_0001"})
    store = CubeStore.create(tmp_path, part.identity)
    fill(store, part, progress=False)
    reader, window = StreamedCubes(store, part), Window("cam_a/person_0001", 0, 2)
    reader.read(window)
    next(tmp_path.rglob("person_0001.safetensors")).unlink()
    with pytest.raises(CubeStoreError, match="is gone"):
        reader.read(window)


def test_a_reader_can_be_sent_to_a_process(tmp_path, augmented):
    part = replace(augmented, kept={"cam_a/person_0001"})
    store = CubeStore.create(tmp_path, part.identity)
    fill(store, part, progress=False)
    reader = StreamedCubes(store, part)
    again = pickle.loads(pickle.dumps(reader))
    for tracklet in ("cam_a/person_0001", "cam_a/person_0002"):
        window = Window(tracklet, 0, 2, 1)
        np.testing.assert_array_equal(again.read(window), reader.read(window))


def test_streamed_cubes_are_finite(tmp_path, extraction, monkeypatch):
    part = replace(extraction, kept=set())
    store = CubeStore.create(tmp_path, part.identity)
    infinite = np.full((1, 4, 4, 8), np.inf, np.float16)
    monkeypatch.setattr(CubeExtraction, "cubes_in", lambda self, window: infinite)
    with pytest.raises(ValueError, match="tracklet cam_a/person_0001: its cubes hold values that"):
        StreamedCubes(store, part).read(Window("cam_a/person_0001", 0, 1))


def test_a_tracklet_to_keep_that_is_not_there(extraction):
    with pytest.raises(KeyError, match="no tracklet nobody"):
        replace(extraction, kept={"nobody"}).to_keep  # noqa: B018


def test_a_plan_is_taken_up_elsewhere(tmp_path, dataset):
    recipe = {
        "name": "timm:test_resnet",
        "weights": {"source": "random", "seed": 0},
        "precision": "float32",
    }
    backbone = build_backbone("timm:test_resnet", WeightsSource(**recipe["weights"]))
    plan = CubeExtraction(
        backbone, *dataset, augmentation=Augmentation(variants=2), storage="uint8", recipe=recipe
    )
    plan.save(tmp_path)
    again = CubeExtraction.load(tmp_path)
    assert again.identity == plan.identity
    window = again.cubes_in(Window("cam_a/person_0001", 1, 3, variant=1))
    np.testing.assert_array_equal(window, plan.cubes_of("cam_a/person_0001")[1, 1:3])


def test_people_who_go_or_come_leave_the_others_cubes(store, extraction, monkeypatch):
    fill(store, extraction, progress=False)
    others = extraction.tracklets[extraction.tracklets.tracklet != "cam_a/person_0002"]
    fewer = replace(
        extraction,
        tracklets=others,
        frames=extraction.frames[extraction.frames.tracklet != "cam_a/person_0002"],
    )
    monkeypatch.setattr(CubeExtraction, "_compute", lambda *_: pytest.fail("it was computed"))
    next_store = CubeStore.create(store.folder.parent, fewer.identity)
    assert next_store.key != store.key
    fill(next_store, fewer, progress=False)
    assert next_store.complete
    assert set(next_store.lengths) == set(others.tracklet)


@pytest.mark.slow
def test_a_compiled_backbone_makes_the_same_cubes(dataset, extraction):
    plain = extraction.backbone
    compiled = Backbone("tiny", plain.module, plain.preprocess, {"scale": 1.0}, compiled=True)
    plan = CubeExtraction(compiled, *dataset, batch_size=4)
    for tracklet in LENGTHS:  # with and without a last batch that has to be filled up
        np.testing.assert_allclose(
            plan.cubes_of(tracklet), extraction.cubes_of(tracklet), rtol=2e-3, atol=1e-3
        )
        many = replace(plan, readers=3)
        np.testing.assert_array_equal(many.cubes_of(tracklet), plan.cubes_of(tracklet))
    assert plan.identity != extraction.identity


# --- frames that are not what they were ----------------------------------------------------------


def test_a_missing_frame(tmp_path, extraction):
    moved = CubeExtraction(extraction.backbone, tmp_path, extraction.tracklets, extraction.frames)
    with pytest.raises(FileNotFoundError, match=r"0001.png is gone since it was ingested"):
        moved.cubes_of("cam_a/person_0001")


def test_a_changed_frame(tmp_path):
    root, tracklets, frames = write_dataset(tmp_path)
    Image.new("RGB", (64, 128)).save(root / "cam_a/person_0001/0002.png")
    with pytest.raises(ExtractionError, match=r"0002.png changed since it was ingested"):
        CubeExtraction(tiny_backbone(), root, tracklets, frames).cubes_of("cam_a/person_0001")


@pytest.mark.parametrize("keep", [0, 200], ids=["empty", "truncated"])
def test_an_unreadable_frame(dataset, tmp_path, keep):
    content = (dataset[0] / "cam_a/person_0001/0001.png").read_bytes()
    (tmp_path / "0001.png").write_bytes(content[:keep])
    with pytest.raises(ExtractionError, match=r"0001.png can't be decoded"):
        read_frame(tmp_path / "0001.png")


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "png"])
def test_frames_are_decoded_as_pillow_does(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (48, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((96, 200)).save(tmp_path / f"frame.{suffix}")
    expected = np.asarray(Image.open(tmp_path / f"frame.{suffix}")).astype(int)
    assert np.abs(read_frame(tmp_path / f"frame.{suffix}") - expected).max() <= 2


def test_a_truncated_jpeg(tmp_path):
    Image.new("RGB", (64, 128), (200, 30, 90)).save(tmp_path / "frame.jpg")
    content = (tmp_path / "frame.jpg").read_bytes()
    (tmp_path / "frame.jpg").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ExtractionError, match=r"frame.jpg can't be decoded"):
        read_frame(tmp_path / "frame.jpg")


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_a_png_of_another_mode_is_what_torchvision_makes_of_it(tmp_path, mode):
    """Pillow decodes it, because torchvision ends the process where a PNG is damaged."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 24, 4), dtype=np.uint8)
    Image.fromarray(noise).convert("RGBA" if mode in ("LA", "RGBA") else "RGB").convert(mode).save(
        tmp_path / "frame.png"
    )
    expected = decode_image(str(tmp_path / "frame.png"), ImageReadMode.RGB).permute(1, 2, 0)
    np.testing.assert_array_equal(read_frame(tmp_path / "frame.png"), expected.numpy())


@pytest.mark.parametrize("damage", ["cut", "flipped", "no end"])
def test_a_damaged_png_does_not_end_the_process(tmp_path, damage):
    Image.effect_noise((24, 48), 90).convert("RGB").save(tmp_path / "frame.png")
    content = bytearray((tmp_path / "frame.png").read_bytes())
    changed = {"cut": content[:-40], "no end": content[:-12], "flipped": content[:]}[damage]
    if damage == "flipped":
        changed[100] ^= 1
    (tmp_path / "frame.png").write_bytes(changed)
    with pytest.raises(ExtractionError, match=r"frame.png can't be decoded"):
        read_frame(tmp_path / "frame.png")


def test_an_unknown_tracklet(extraction):
    with pytest.raises(KeyError, match="nobody"):
        extraction.cubes_of("nobody")


def test_weights_that_overflow_float16_are_named(tmp_path, dataset):
    plan = CubeExtraction(tiny_backbone(1e7), *dataset)
    store = CubeStore.create(tmp_path, plan.identity)
    with pytest.raises(ValueError, match=r"cam_a/person_0001: .* float16 can't"):
        fill(store, plan, progress=False)
    assert not store.complete
