"""The arithmetic of a large gallery, worked out by hand; the page has what the command prints."""

import pytest


@pytest.fixture
def scale(script):
    return script("scale")


def test_small_numbers_by_hand(scale):
    given = scale.Inputs(
        frames=2e6, frames_per_tracklet=2, cube_values=2**20, crop_bytes=2**20, dimensions=256,
        gpus=2, cores=4, gpu_flops=10, gpu_utilisation=0.5, extract_flop=3, embed_flop=2,
        extract_seconds=0.009, embed_seconds=0.0018, decode_seconds=0.0036, exact_bytes=2**30 / 1e6,
        ivf_bytes=2**31 / 1e6, exact_query_seconds=0.25, ivf_query_seconds=0.125,
        ivf_build_seconds=1800, euros_per_gpu_hour=9, euros_per_core_hour=10, queries_per_day=24,
        euros_per_tib_month=0, euros_per_gib_memory_month=5,
    )  # fmt: skip
    found = scale.outcome(given)
    assert found["tracklets"] == 1e6
    assert found["crops_tib"] == pytest.approx(2e6 / 2**20)
    assert found["cubes_float16_tib"] == pytest.approx(2 * 2e6 / 2**20)
    assert found["embeddings_gib"] == pytest.approx(1e6 * 256 * 4 / 2**30)
    assert found["gpu_hours"] == pytest.approx(2e6 * 5 / 5 / 3600)
    assert found["core_hours"] == pytest.approx(6) and found["decode_core_hours"] == pytest.approx(
        2
    )
    assert found["elapsed_hours"] == pytest.approx(2e6 / 3600 / 2)
    assert found["elapsed_hours_without_gpus"] == pytest.approx(2)
    assert (found["exact_gib"], found["ivf_gib"]) == pytest.approx((2, 4))  # twice as wide
    assert found["exact_query_core_seconds"] == pytest.approx(0.5)
    assert found["ivf_build_core_hours"] == pytest.approx(1)
    assert found["euros_once"] == pytest.approx(5000 + 20)
    assert found["euros_once_without_gpus"] == pytest.approx(80)
    assert found["euros_a_month"] == pytest.approx(4 * 5 + 730 * 0.25 / 3600 * 10)


def test_four_times_the_frames(scale):
    one, four = (scale.outcome(scale.Inputs(frames=frames)) for frames in (1e8, 4e8))
    ratio = {name: four[name] / one[name] for name in one}
    assert ratio["gpu_hours"] == ratio["exact_query_core_seconds"] == pytest.approx(4)
    assert ratio["ivf_query_core_seconds"] == pytest.approx(2)
    assert ratio["ivf_build_core_hours"] == pytest.approx(8)


def test_the_page_has_what_the_command_prints(scale, repository):
    page = (repository / "docs/explanation/scale.md").read_text(encoding="utf-8")
    assert scale.tables(scale.Inputs()) in page
