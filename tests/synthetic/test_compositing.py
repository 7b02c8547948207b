import numpy as np

from wherewhen.synthetic.compositing import degrade

BOARD = np.indices((16, 8)).sum(axis=0) % 2 * 200 + 20
FRAMES = np.repeat(BOARD.astype(np.uint8)[None, ..., None], 3, axis=3)


def test_a_picture_of_full_size_that_is_not_compressed_stays_as_it_is():
    np.testing.assert_array_equal(degrade(FRAMES, 16, None), FRAMES)


def test_what_is_finer_than_the_small_picture_is_lost():
    # Every two by two pixels of the board have a mean of 120.
    assert (degrade(FRAMES, 8, None) == 120).all()


def test_the_worse_the_quality_the_more_is_lost():
    generator = np.random.default_rng(0)
    frames = generator.integers(0, 256, (1, 32, 16, 3)).astype(np.uint8)
    losses = [
        np.abs(degrade(frames, 32, quality).astype(int) - frames).mean() for quality in (95, 50, 10)
    ]
    assert 0 < losses[0] < losses[1] < losses[2]


def test_compression_before_enlarging_makes_larger_blocks():
    ramp = np.linspace(0, 255, 64)[None, :, None, None] * np.ones((1, 1, 32, 3))
    frames = ramp.astype(np.uint8)

    def edges(seen):
        rows = degrade(frames, seen, 1)[0, :, 16, 0].astype(int)
        return np.abs(np.diff(rows))

    # Blocks of eight rows at full size; of sixteen where eight came from sixteen.
    assert edges(64)[7::8].mean() > 4 * np.delete(edges(64), np.s_[7::8]).mean()
    assert edges(32)[15::16].mean() > edges(32)[7::16].mean()
